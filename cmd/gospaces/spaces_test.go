package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/spacetest"
)

// No command that only looks creates a space, and each says that there is none of that name.
func TestSpaces_LookingCreatesNone(t *testing.T) {
	t.Parallel()
	s := memory(t)
	s.must(t, "spaces", "create", "orders")
	for _, args := range [][]string{
		{"count", "job"},
		{"count"},
		{"kinds"},
		{"read", "job"},
		{"take", "job", "--all"},
		{"registrations", "list"},
		{"cancel", "7"},
		{"read", "job", "--wait", "1ms"},
		{"kinds", "drop", "job", "--yes"},
	} {
		r := s.do(t, append(args, "--space", "order")...)
		require.Contains(t, r.err, `gospaces: there is no space "order": did you mean orders?`+"\n", args)
	}
	s.must(t, "status", "--space", "order")
	require.Equal(t, "\"default\"\n\"orders\"\n", s.must(t, "spaces"))
	require.Zero(t, s.do(t, "write", "job", `{"id": 1}`, "--space", "order").code)
	require.Equal(t, "\"default\"\n\"order\"\n\"orders\"\n", s.must(t, "spaces"))
}

func TestSpacesDrop_AsksForTheName(t *testing.T) {
	t.Parallel()
	s := memory(t)
	s.must(t, "write", "job", `{"id": 1}`, "--space", "orders")
	for _, answer := range []string{"", "y\n", "order\n"} {
		r := cliWith(t, nil, answer, "spaces", "drop", "orders", "--addr", s.addr)
		require.Equal(t, exitError, r.code)
		require.Contains(t, r.err, `Drop space "orders", with all that it holds? Type its name to confirm: `)
		require.Contains(t, r.err, "not confirmed")
	}
	require.Equal(t, "1\n", s.must(t, "count", "job", "--space", "orders"))
	r := cliWith(t, nil, "orders\n", "spaces", "drop", "orders", "--addr", s.addr)
	require.Equal(t, `{"dropped":"orders"}`+"\n", r.out)
	require.Contains(t, r.err, "its tables are still there; to drop them: gospaces spaces drop orders --tables")
	require.Equal(t, "\"default\"\n", s.must(t, "spaces"))

	r = s.do(t, "spaces", "drop", "orders", "--yes")
	require.Equal(t, exitNoMatch, r.code)
	require.Contains(t, r.err, `there is no space "orders"`)
	r = s.do(t, "spaces", "drop", "default", "--yes")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, `space "default" cannot be dropped`)
}

// Commands about all spaces open none of them: they work while no node serves the space "default".
func TestSpaces_NeedNoSpaceThatIsServed(t *testing.T) {
	t.Parallel()
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{Durability: node.ReplicatedMemory})
	n, err := client.DialNode(t.Context(), client.Config{Addr: c.Nodes[0].Addr})
	require.NoError(t, err)
	defer n.Close()
	_, err = n.Manage(t.Context(), []byte(`{"fill": {"space": "default", "partitions": 1}}`))
	require.NoError(t, err)

	addr := c.Nodes[1].Addr
	do := func(args ...string) string {
		r := cli(t, append([]string{"--addr", addr}, args...)...)
		require.Zero(t, r.code, r.err)
		return r.out
	}
	do("spaces", "create", "jobs")
	require.Equal(t, "\"default\"\n\"jobs\"\n", do("spaces", "list"))
	require.Equal(t, "{\"dropped\":\"jobs\"}\n", do("spaces", "drop", "jobs", "--yes"))
}
