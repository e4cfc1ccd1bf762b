package spacetest_test

import (
	"os"
	"testing"

	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// TestCluster runs the suite on a cluster of three nodes: each case on a space of its own, which any of the nodes may
// lead. The topic of limits is left to FAILOVERS: its calls are so large that, with the race detector, a node on a busy
// machine may lose the lead meanwhile, which ends transactions.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{Durability: node.ReplicatedMemory})
	topics := spacetest.TopicsBut("limit")
	if os.Getenv("FAILOVERS") != "" {
		topics = nil
	}
	spacetest.RunTopics(t, func(tb testing.TB) space.Space { return c.Space(tb) }, topics...)
}

// TestClusterParted runs the suite on a cluster of three nodes, with spaces of three partitions. It is a soak: a
// primary that changes on a busy machine ends transactions.
func TestClusterParted(t *testing.T) {
	if os.Getenv("FAILOVERS") == "" {
		t.Skip("make soak-failover runs it")
	}
	t.Parallel()
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{Durability: node.ReplicatedMemory, Partitions: 3})
	spacetest.Run(t, func(tb testing.TB) space.Space { return c.Parted(tb) })
}
