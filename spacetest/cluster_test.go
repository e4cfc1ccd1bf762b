package spacetest_test

import (
	"os"
	"testing"

	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// TestCluster runs the suite on a cluster of three nodes: each case on a space of its own, which any of the nodes may
// lead. With FAILOVERS set the nodes are in this process, where the race detector watches them too, and the topic of
// limits, whose calls are dear, is not left out.
func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	t.Parallel()
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{
		Durability: node.ReplicatedMemory, Process: os.Getenv("FAILOVERS") == "", Patience: 4,
	})
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
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{
		Durability: node.ReplicatedMemory, Process: true, Patience: 5, Partitions: 3,
	})
	spacetest.Run(t, func(tb testing.TB) space.Space { return c.Parted(tb) })
}
