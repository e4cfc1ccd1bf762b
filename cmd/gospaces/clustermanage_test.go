package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A drain waits for a node that could have the replicas, also if it is silent at the moment, and gives up if there is
// none.
func TestDraining(t *testing.T) {
	t.Parallel()
	status := func(alive bool, others ...string) *clusterStatus {
		st := &clusterStatus{Nodes: []memberLine{{Name: "a", Alive: true, Drained: true}}}
		for _, name := range others {
			st.Nodes = append(st.Nodes, memberLine{Name: name, Alive: alive})
		}
		st.Partitions = []partitionLine{{Space: "jobs", Primary: "b", Replicas: []replicaLine{{Node: "a"}, {Node: "b"}}}}
		return st
	}
	left, err := status(true, "b", "c").draining("a", false)
	require.NoError(t, err)
	require.Equal(t, "node a leads 0 partitions, and has 1 replica", left)
	left, err = status(false, "b", "c").draining("a", false)
	require.NoError(t, err)
	require.Equal(t, "node a leads 0 partitions, and has 1 replica; node b is silent; node c is silent", left)
	_, err = status(true, "b").draining("a", false)
	require.ErrorContains(t, err, "that no other node can take: add a node")
	left, err = status(true, "b").draining("a", true)
	require.NoError(t, err)
	require.Empty(t, left, "it leads nothing")
}
