package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
)

type crate struct{ ID int }

// start starts a node that is closed when the test ends.
func start(t *testing.T, cfg node.Config) *node.Node {
	t.Helper()
	n, err := node.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Close(context.WithoutCancel(t.Context()))) })
	return n
}

func spaceOf(t *testing.T, n *node.Node, name string) space.Space {
	t.Helper()
	sp, err := n.Space(name)
	require.NoError(t, err)
	return sp
}

func countCrates(t *testing.T, sp space.Space) int {
	t.Helper()
	n, err := space.Count(t.Context(), sp, crate{})
	require.NoError(t, err)
	return n
}

func TestSpace_IsTheOneOfClients(t *testing.T) {
	t.Parallel()
	n := start(t, node.Config{Data: t.TempDir(), Listen: "127.0.0.1:0"})
	c, err := client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	defer c.Close()
	here, there := spaceOf(t, n, "jobs"), c.SpaceNamed("jobs")
	require.Equal(t, []string{"default", "jobs"}, n.Names())

	taken := make(chan error, 1)
	go func() {
		_, err := space.Take(t.Context(), here, crate{ID: 1})
		taken <- err
	}()
	_, err = space.WriteAll(t.Context(), there, []crate{{1}, {2}})
	require.NoError(t, err)
	require.NoError(t, <-taken)

	reg, err := space.Notify(t.Context(), here, crate{}, space.On(space.Taken))
	require.NoError(t, err)
	_, err = space.Take(t.Context(), there, crate{})
	require.NoError(t, err)
	e, err := reg.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, space.Taken, e.Type)
	require.NoError(t, reg.Close())
}

func TestSpace_NeedsNoListener(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n, err := node.Start(t.Context(), node.Config{Data: dir})
	require.NoError(t, err)
	require.Empty(t, n.Addr())
	jobs := spaceOf(t, n, "jobs")
	_, err = space.WriteAll(t.Context(), jobs, []crate{{1}, {2}})
	require.NoError(t, err)
	require.NoError(t, jobs.Close(), "which does nothing: the node owns it")
	_, tx, err := space.TakeTxn(t.Context(), jobs, crate{ID: 1}, space.For(time.Hour))
	require.NoError(t, err)
	require.NoError(t, n.Close(t.Context()))
	require.NoError(t, n.Close(t.Context()))
	_, err = space.Count(t.Context(), jobs, crate{})
	require.ErrorIs(t, err, space.ErrClosed)
	require.Error(t, tx.Commit(t.Context()))
	for _, name := range []string{"more", "jobs", "default"} {
		_, err = n.Space(name)
		require.ErrorIs(t, err, space.ErrClosed)
	}

	n = start(t, node.Config{Data: dir})
	jobs = spaceOf(t, n, "jobs")
	task, err := space.Take(t.Context(), jobs, crate{ID: 1})
	require.NoError(t, err, "no transaction of a program that is gone holds it")
	require.Equal(t, 1, task.ID)
	require.Equal(t, 1, countCrates(t, jobs))
}

func TestSpace_ErrorsOfNames(t *testing.T) {
	t.Parallel()
	n := start(t, node.Config{Durability: node.Memory, Limits: node.Limits{Spaces: 2}})
	_, err := n.Space("no such/name")
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	spaceOf(t, n, "second")
	_, err = n.Space("third")
	require.ErrorIs(t, err, space.ErrSpaceFull)
}

func TestSpace_Dropped(t *testing.T) {
	t.Parallel()
	n := start(t, node.Config{Data: t.TempDir(), Listen: "127.0.0.1:0"})
	c, err := client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	defer c.Close()
	sp := spaceOf(t, n, "passing")
	reg, err := space.Notify(t.Context(), sp, crate{})
	require.NoError(t, err)
	ended := make(chan error, 2)
	go func() {
		_, err := space.Take(t.Context(), sp, crate{})
		ended <- err
	}()
	go func() {
		_, err := reg.Next(t.Context())
		ended <- err
	}()
	require.NoError(t, c.DropSpace(t.Context(), "passing", false))
	require.ErrorIs(t, <-ended, space.ErrDropped)
	require.ErrorIs(t, <-ended, space.ErrDropped)
	require.NoError(t, reg.Close())
	require.Zero(t, countCrates(t, spaceOf(t, n, "passing")), "a new one")
}
