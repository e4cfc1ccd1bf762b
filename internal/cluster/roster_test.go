package cluster

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/txn"
)

// slow is a Host whose replicas open and close when that is let.
type slow struct {
	opening, closing chan struct{} // one receive from each lets one open, or close
	opened, closed   int
}

func (h *slow) Open(context.Context, txn.Address, uint64) (Replica, error) {
	<-h.opening
	h.opened++
	return new(scripted), nil
}

func (h *slow) Close(txn.Address, Ending) {
	<-h.closing
	h.closed++
}

// oneOf returns a State with one partition.
func oneOf(p Partition) *State {
	return &State{
		Nodes:  map[string]Node{"a": {}, "b": {}, "c": {}, "d": {}},
		Spaces: map[string]*Space{jobs.Space: {Incarnation: "1", Phase: Existing, Partitions: []Partition{p}}},
	}
}

// newRosterOf returns the roster of node a.
func newRosterOf(h Host) *roster {
	log := slog.New(slog.DiscardHandler)
	return newRoster(&Member{
		self: "a", cfg: Config{Host: h, Logger: log},
		keeper: NewKeeper("a", Timings(1), NewSight("a", Timings(1)), log),
	})
}

func TestRoster_AReplicaThatLeavesAndComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		h := &slow{opening: make(chan struct{}), closing: make(chan struct{})}
		r := newRosterOf(h)
		here := oneOf(Partition{Nodes: []string{"a", "b", "c"}})
		elsewhere := oneOf(Partition{Nodes: []string{"d", "b", "c"}})
		r.compare(ctx, here)
		h.opening <- struct{}{}
		synctest.Wait()
		require.Equal(t, 1, h.opened)

		r.compare(ctx, elsewhere)
		synctest.Wait()
		r.compare(ctx, here)
		synctest.Wait()
		require.Equal(t, 1, h.opened, "the first is not closed yet")
		h.closing <- struct{}{}
		h.opening <- struct{}{}
		synctest.Wait()
		require.Equal(t, 2, h.opened)
		require.Contains(t, r.m.keeper.all(), jobs)

		stop()
		h.closing <- struct{}{}
		r.tending.Wait()
		require.Equal(t, 2, h.closed)
	})
}

// A replica may take long to open; it is then watched as it is placed by that time.
func TestRoster_AReplicaMovesWhileItOpens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		h := &slow{opening: make(chan struct{}), closing: make(chan struct{})}
		r := newRosterOf(h)
		nodes := []string{"a", "b", "c"}
		r.compare(ctx, oneOf(Partition{Nodes: nodes}))
		r.compare(ctx, oneOf(Partition{Nodes: nodes, Target: []string{"d", "b", "a"}}))
		h.opening <- struct{}{}
		synctest.Wait()
		w := r.m.keeper.all()[jobs]
		require.Equal(t, []string{"d", "b", "a", "c"}, w.ranked)
		require.Equal(t, nodes, w.members)
		require.True(t, w.moving)

		r.compare(ctx, oneOf(Partition{Nodes: []string{"d", "b", "a"}}))
		require.Equal(t, []string{"d", "b", "a"}, w.ranked)
		require.False(t, w.moving)
		stop()
		h.closing <- struct{}{}
		r.tending.Wait()
	})
}
