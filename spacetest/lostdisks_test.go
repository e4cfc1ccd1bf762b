package spacetest_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// A cluster in memory whose nodes have all ended has lost its spaces, and says so: they are other ones, and empty.
func TestCluster_AllNodesOfAClusterInMemoryEnd(t *testing.T) {
	t.Parallel()
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{Durability: node.ReplicatedMemory})
	sp := c.Dial(t, "default")
	lease, err := space.Write(t.Context(), sp, Purse{"x", 1})
	require.NoError(t, err)
	for _, n := range c.Nodes {
		n.Kill()
	}
	startAll(t, c)
	require.Eventually(t, func() bool { return c.Primary("default") != "" }, time.Minute, 10*time.Millisecond)
	again := c.Dial(t, "default")
	n, err := space.Count(t.Context(), again, Purse{})
	require.NoError(t, err)
	require.Zero(t, n)
	require.ErrorIs(t, lease.Cancel(t.Context()), space.ErrLeaseEnded)
	_, err = space.Write(t.Context(), sp, Purse{"x", 2})
	require.NoError(t, err)
	p, err := space.Take(t.Context(), again, Purse{})
	require.NoError(t, err)
	require.Equal(t, Purse{"x", 2}, p)
}

// Two nodes of three have lost their disks while the third was down: together they are a majority, but they must not
// take what they have for what there was.
func TestCluster_TwoDisksOfThreeAreLost(t *testing.T) {
	t.Parallel()
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{Durability: node.Replicated})
	sp := c.Dial(t, "default")
	_, err := space.Write(t.Context(), sp, Purse{"x", 1})
	require.NoError(t, err)
	for _, n := range c.Nodes {
		n.Stop()
	}
	for _, n := range c.Nodes[:2] {
		require.NoError(t, os.RemoveAll(n.Data()))
	}
	startAll(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	cl, err := client.Dial(ctx, c.Addrs())
	if err != nil {
		return // no node serves the space: an operator has to decide
	}
	defer cl.Close()
	n, err := space.Count(ctx, cl, Purse{})
	require.False(t, err == nil && n == 0, "what was acknowledged is gone, and no caller is told")
}

func startAll(t *testing.T, c *spacetest.ClusterHandle) {
	started := make(chan struct{})
	for _, n := range c.Nodes {
		go func() { n.Start(); started <- struct{}{} }()
	}
	for range c.Nodes {
		<-started
	}
}
