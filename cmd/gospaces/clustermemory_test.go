package main

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// No node holds more than its --max-memory allows, also the entries of partitions that others lead: a space is full
// when the smallest node that has it is.
func TestClusterMemory_FollowersHaveBudgets(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{
		Process: true, MaxMemory: "1GiB", LeastMemory: "96MiB", SnapshotBytes: 8 << 20,
	})
	o := operator{t, c.Addrs()}
	o.status()
	o.do("move", "default", "--to", "a,b,c")
	sp, err := client.Dial(t.Context(), c.Addrs())
	require.NoError(t, err)
	defer sp.Close()
	const size, atOnce = 128 << 10, 8
	fill := func() (written int, err error) {
		stuff := make([]Stuff, atOnce)
		for i := range stuff {
			stuff[i].Data = make([]byte, size)
		}
		for ; err == nil; written += atOnce {
			_, err = space.WriteAll(t.Context(), sp, stuff)
		}
		return written - atOnce, err
	}
	written, err := fill()
	require.ErrorIs(t, err, space.ErrSpaceFull)
	require.ErrorContains(t, err, "--max-memory allows")
	require.Positive(t, written)
	within := func() {
		t.Helper()
		for _, n := range c.Nodes {
			var m *heldMemory
			require.Eventually(t, func() bool { // a follower may be behind
				m = memoryOf(t, n.Addr)
				return m.Charged > int64(written)*size
			}, time.Minute, 50*time.Millisecond, "node %s is not charged for all entries", n.Name)
			require.LessOrEqual(t, m.Used, m.Limit, n.Name)
		}
	}
	within()

	small := c.Node("c") // it gets all from the others, within its budget
	small.Kill()
	require.NoError(t, os.RemoveAll(small.Data()))
	small.Start()
	o.status()
	within()
	_, err = fill()
	require.ErrorIs(t, err, space.ErrSpaceFull)

	c.Node("a").Kill() // the next primary refuses, too, and takes go on
	_, err = fill()
	require.ErrorIs(t, err, space.ErrSpaceFull)
	for range written / 2 {
		_, err := space.Take(t.Context(), sp, Stuff{})
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		_, err := space.Write(t.Context(), sp, Stuff{})
		return err == nil
	}, time.Minute, 50*time.Millisecond)
}

// heldMemory is the part of a node's status about its memory.
type heldMemory struct {
	Limit   int64 `json:"limit_bytes"`
	Used    int64 `json:"used_bytes"`
	Charged int64 `json:"charged_bytes"`
}

// memoryOf returns the memory of a node.
func memoryOf(t *testing.T, addr string) *heldMemory {
	t.Helper()
	var r result
	require.Eventually(t, func() bool { // a node whose memory is full takes no connections before the next collection
		r = cli(t, "--addr", addr, "status")
		return r.code == exitOK
	}, time.Minute, 50*time.Millisecond)
	var st struct{ Memory *heldMemory }
	require.NoError(t, json.Unmarshal([]byte(r.out), &st))
	require.NotNil(t, st.Memory, r.out)
	return st.Memory
}
