package main

import (
	"path/filepath"
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

// Commands about all spaces open none of them: they work while no node serves the space "default", such as amid a
// restore, which can be given up.
func TestSpaces_NeedNoSpaceThatIsServed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "spaces.backup")
	s := serve(t, "--data", t.TempDir())
	s.must(t, "write", "job", `{"id": 1}`)
	s.must(t, "backup", file)
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{Durability: node.ReplicatedMemory})
	n, err := client.DialNode(t.Context(), client.Config{Addr: c.Nodes[0].Addr})
	require.NoError(t, err)
	defer n.Close()
	_, err = n.Manage(t.Context(), []byte(`{"fill": {"space": "default", "partitions": 1, "from": "elsewhere"}}`))
	require.NoError(t, err)

	do := func(args ...string) result {
		return cli(t, append([]string{"--addr", c.Nodes[1].Addr}, args...)...)
	}
	require.Zero(t, do("spaces", "create", "jobs").code)
	r := do("spaces", "list")
	require.Equal(t, "\"default\"\n\"jobs\"\n", r.out)
	require.Contains(t, r.err, `space "default": it is being restored or loaded`)
	require.Equal(t, "{\"dropped\":\"jobs\"}\n", do("spaces", "drop", "jobs", "--yes").out)
	require.Contains(t, do("cluster", "status").err, "no node serves default/0: it is being restored or loaded")

	r = do("restore", file, "--cluster")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, `space "default" is being restored or loaded from elsewhere`)
	require.Zero(t, do("spaces", "drop", "default", "--yes").code)
	r = do("restore", file, "--cluster")
	require.Zero(t, r.code, r.err)
	require.Equal(t, "1\n", do("count", "job").out)
	require.Contains(t, do("spaces", "drop", "default", "--yes").err, `space "default" cannot be dropped`)
}
