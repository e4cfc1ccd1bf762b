package node_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// startThree starts a cluster whose nodes are closed with the test, and returns the configuration of the last one, too.
func startThree(t *testing.T) (nodes [3]*node.Node, last node.Config) {
	t.Helper()
	network := fmt.Sprintf("127.%d.%d", 1+rand.IntN(254), rand.IntN(256))
	var peers []node.Peer
	for i := range nodes {
		peers = append(peers, node.Peer{Name: string(rune('a' + i)), Addr: fmt.Sprintf("%s.%d:6222", network, i+1)})
	}
	var starting sync.WaitGroup
	var errs [len(nodes)]error
	for i := range nodes {
		cfg := node.Config{
			Listen: fmt.Sprintf("%s.%d:7420", network, i+1), Durability: node.ReplicatedMemory, Data: t.TempDir(),
			Cluster: &node.Cluster{Name: "test", Node: peers[i].Name, Peers: peers},
		}
		starting.Go(func() { nodes[i], errs[i] = node.Start(t.Context(), cfg) })
		last = cfg
	}
	starting.Wait()
	for i, n := range nodes {
		require.NoError(t, errs[i])
		t.Cleanup(func() { n.Close(context.Background()) })
	}
	return nodes, last
}

// What is acknowledged must be as safe as a node says: one whose setting is not that of the cluster's logs is refused.
func TestCluster_StorageIsThatOfTheLogs(t *testing.T) {
	t.Parallel()
	nodes, cfg := startThree(t)
	require.NoError(t, nodes[2].Close(t.Context()))
	cfg.Data, cfg.Durability = t.TempDir(), node.Replicated
	_, err := node.Start(t.Context(), cfg)
	wrong := new(node.SettingError)
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, "Durability", wrong.Setting)
	require.Contains(t, wrong.Problem, "logs in memory (replicated-memory)")
}

// A primary may lose its replica while calls wait: they wait on at the next one. Only the program closes its space.
func TestCluster_CallsOutliveAReplicaThatLeaves(t *testing.T) {
	t.Parallel()
	nodes, _ := startThree(t)
	at := txn.Address{Space: "default"}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cl, err := client.Dial(ctx, nodes[0].Addr())
	require.NoError(t, err)
	defer cl.Close()
	taken := make(chan error, 1)
	go func() {
		_, err := space.Take(ctx, cl, parcel{ID: 7})
		taken <- err
	}()
	var leader *node.Node
	require.Eventually(t, func() bool {
		for _, n := range nodes {
			if n.Waits(at) == 1 {
				leader = n
			}
		}
		return leader != nil
	}, time.Minute, time.Millisecond)

	leader.Dismiss(at)
	_, err = space.Write(ctx, cl, parcel{ID: 7})
	require.NoError(t, err)
	require.NoError(t, <-taken)
}
