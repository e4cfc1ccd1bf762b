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
		replicas := []replicaLine{{Node: "a"}, {Node: "b"}}
		st.Partitions = []partitionLine{{Space: "jobs", Primary: "b", Replicas: replicas}}
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

	st := status(true, "b", "c")
	for i := range st.Nodes {
		st.Nodes[i].Drained = st.Nodes[i].Name != "c"
	}
	st.Partitions[0].Primary = "a"
	_, err = st.draining("a", false)
	require.ErrorContains(t, err, "node a leads 1 partition, and has 1 replica that no other node can take", "nor b")
	st.Partitions[0].Replicas = append(st.Partitions[0].Replicas, replicaLine{Node: "c"})
	st.Partitions[0].Target, st.Partitions[0].Awaits = []string{"c", "b", "a"}, "node c, which is silent"
	left, err = st.draining("a", false)
	require.NoError(t, err, "c is about to lead it")
	require.Equal(t, "node a leads 1 partition, and has 1 replica; "+
		"jobs/0 moves to c, b, a (waits for node c, which is silent)", left)
}
