package spacetest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// TestRemade_Volatile ends the process of a server that keeps nothing.
func TestRemade_Volatile(t *testing.T) {
	t.Parallel()
	spacetest.RunRemade(t, func(tb testing.TB) spacetest.Restarter {
		s := spacetest.Server(tb, spacetest.ServerConfig{Process: true, Durability: node.Memory})
		return restarter{s, s.Dial(tb), s.Kill}
	})
}

// TestRemade_Dropped drops the space, whose clients go on.
func TestRemade_Dropped(t *testing.T) {
	t.Parallel()
	for _, durability := range []string{node.Memory, node.Logged} {
		t.Run(durability, func(t *testing.T) {
			t.Parallel()
			spacetest.RunRemade(t, func(tb testing.TB) spacetest.Restarter {
				s := spacetest.Server(tb, spacetest.ServerConfig{Durability: durability})
				return dropper{tb, s.Dial(tb)}
			})
		})
	}
}

type dropper struct {
	tb     testing.TB
	client *spacetest.Client
}

func (d dropper) Space() space.Space { return d.client.SpaceNamed("dropped") }

func (d dropper) Restart() {
	require.NoError(d.tb, d.client.DropSpace(d.tb.Context(), "dropped", false))
}

// TestRemade_DroppedInACluster drops the spaces of a cluster, and makes them again.
func TestRemade_DroppedInACluster(t *testing.T) {
	t.Parallel()
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{Durability: node.ReplicatedMemory, Patience: 5})
	spacetest.RunRemade(t, func(tb testing.TB) spacetest.Restarter {
		name := tb.Name()[strings.LastIndex(tb.Name(), "/")+1:]
		require.NoError(tb, c.Dial(tb, client.DefaultSpace).CreateSpace(tb.Context(), name))
		return clusterDropper{tb, c.Dial(tb, name), name}
	})
}

type clusterDropper struct {
	tb     testing.TB
	client *spacetest.ClusterClient
	name   string
}

func (d clusterDropper) Space() space.Space { return d.client }

func (d clusterDropper) Restart() {
	require.NoError(d.tb, d.client.DropSpace(d.tb.Context(), d.name, false))
	require.NoError(d.tb, d.client.CreateSpace(d.tb.Context(), d.name))
}

// A space that is dropped and made again begins with a new log, whose epochs are lower than those in which the nodes
// and a client have known it.
func TestRemade_InACluster(t *testing.T) {
	t.Parallel()
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{Durability: node.Replicated})
	admin := c.Dial(t, client.DefaultSpace)
	create := func() {
		t.Helper()
		require.NoError(t, admin.CreateSpace(t.Context(), "again"))
	}
	create()
	old := c.Dial(t, "again")
	for range 20 {
		_, err := space.Write(t.Context(), old, Purse{"x", 1})
		require.NoError(t, err)
	}
	primary := c.Node(c.Primary("again"))
	primary.Kill()
	_, err := space.Write(t.Context(), old, Purse{"x", 1})
	require.NoError(t, err, "another leads")
	primary.Start()
	for range 3 {
		require.NoError(t, admin.DropSpace(t.Context(), "again", false))
		create()
		_, err = space.Write(t.Context(), old, Purse{"y", 1})
		require.NoError(t, err, "of a client that has known the old space")
		for _, n := range c.Nodes {
			cl := n.Dial(t, "again")
			count, err := space.Count(t.Context(), cl, Purse{})
			require.NoError(t, err, "by way of node %s", n.Name)
			require.Equal(t, 1, count)
			require.NoError(t, cl.Close())
		}
	}
}

// A space in which a transaction of other spaces has a part is not dropped: they would not learn its outcome. One that
// is dropped right after the commit takes nothing of that with it.
func TestDropped_WithPartsOfTransactions(t *testing.T) {
	t.Parallel()
	t.Run("alone", func(t *testing.T) {
		t.Parallel()
		dropParts(t, spacetest.Server(t, spacetest.ServerConfig{Durability: node.Logged}).Dial(t).Client)
	})
	t.Run("in a cluster", func(t *testing.T) {
		t.Parallel()
		c := spacetest.StartCluster(t, spacetest.ClusterConfig{Durability: node.ReplicatedMemory, Patience: 5})
		dropParts(t, c.Dial(t, client.DefaultSpace).Client)
	})
}

func dropParts(t *testing.T, cl *client.Client) {
	ctx := t.Context()
	for _, dropped := range []string{"home", "branch"} {
		kept := map[string]string{"home": "branch", "branch": "home"}[dropped]
		for _, name := range []string{"home", "branch"} {
			require.NoError(t, cl.CreateSpace(ctx, name))
		}
		home, branch := cl.SpaceNamed("home"), cl.SpaceNamed("branch")
		tx, err := space.Begin(ctx, home)
		require.NoError(t, err)
		for _, sp := range []space.Space{home, branch} {
			_, err := space.Write(ctx, sp, Purse{"x", 1}, space.In(tx))
			require.NoError(t, err)
		}
		err = cl.DropSpace(ctx, dropped, false)
		require.ErrorIs(t, err, space.ErrInvalidArgument)
		require.ErrorContains(t, err, "end them, or wait until they have ended")
		require.NoError(t, tx.Commit(ctx))
		require.NoError(t, cl.DropSpace(ctx, dropped, false))
		_, err = space.Take(ctx, cl.SpaceNamed(kept), Purse{})
		require.NoError(t, err)
	}
}
