package spacetest_test

import (
	"testing"

	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// TestCluster runs the suite on a cluster of three nodes: each case on a space of its own, which any of the nodes may
// lead. The cases about transactions over several spaces expect that no space changes its primary meanwhile, which ends
// such a transaction; TestClusterSpans_KeepTheSum has these.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{Durability: node.ReplicatedMemory})
	spacetest.RunExcept(t, func(tb testing.TB) space.Space { return c.Space(tb) }, "txnspaces")
}
