package spacetest_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
	"github.com/gospaces/gospaces/txn"
)

// TestParted runs the suite on three partitions; what is true of one only is left out, see Scattered.
func TestParted(t *testing.T) {
	t.Parallel()
	spacetest.Run(t, func(tb testing.TB) space.Space {
		return spacetest.Server(tb, spacetest.ServerConfig{Durability: node.Memory}).DialParted(tb, 3)
	})
}

// entry is an entry of the tests of waiting takes.
type entry struct {
	ID int
}

// waitingTakes starts n takes that wait in a space, each in a goroutine of its own. The channel gets what they take.
func waitingTakes(t *testing.T, n int, sp func(i int) space.Space) <-chan int {
	taken := make(chan int, n)
	var calls sync.WaitGroup
	for i := range n {
		calls.Go(func() {
			e, err := space.Take(t.Context(), sp(i), entry{})
			if err != nil {
				taken <- -1
				t.Errorf("take %d: %v", i, err)
				return
			}
			taken <- e.ID
		})
	}
	t.Cleanup(calls.Wait)
	return taken
}

// Many takes wait in twelve partitions, entries come one at a time, and connections are cut meanwhile: each entry goes
// to exactly one take, each take gets one, and nothing stays behind.
func TestParted_WaitingTakesGetOneEach(t *testing.T) {
	t.Parallel()
	const takes, clients, partitions = 1000, 4, 12
	s := spacetest.Server(t, spacetest.ServerConfig{Durability: node.Memory})
	spaces := make([]*spacetest.Parted, clients)
	for i := range spaces {
		spaces[i] = s.DialParted(t, partitions)
	}
	taken := waitingTakes(t, takes, func(i int) space.Space { return spaces[i%clients] })
	writer := s.DialParted(t, partitions)
	seen := map[int]bool{}
	for i := range takes {
		_, err := space.Write(t.Context(), writer, entry{i + 1})
		require.NoError(t, err)
		if i%100 == 50 {
			s.Cut()
		}
		if i%3 == 0 { // sometimes several entries are there at once
			continue
		}
		for len(seen) <= i {
			id := <-taken
			require.False(t, seen[id], "%d was taken twice", id)
			seen[id] = true
		}
	}
	for len(seen) < takes {
		id := <-taken
		require.False(t, seen[id], "%d was taken twice", id)
		seen[id] = true
	}
	requireNothingReserved(t, writer)
}

// requireNothingReserved fails the test unless an entry that is written now can be taken at once, in every partition.
func requireNothingReserved(t *testing.T, sp space.Space) {
	t.Helper()
	n, err := space.Count(t.Context(), sp, entry{})
	require.NoError(t, err)
	require.Zero(t, n)
	for i := range 24 {
		_, err := space.Write(t.Context(), sp, entry{i + 1})
		require.NoError(t, err)
	}
	for range 24 {
		_, err := space.Take(t.Context(), sp, entry{}, space.NoWait())
		require.NoError(t, err)
	}
}

// The server is killed while takes wait, are confirmed, and entries are written: what was acknowledged is taken exactly
// once.
func TestParted_WaitingTakesSurviveKills(t *testing.T) {
	t.Parallel()
	const takes, partitions = 60, 6
	s := spacetest.Server(t, spacetest.ServerConfig{Process: true})
	sp, writer := s.DialParted(t, partitions), s.DialParted(t, partitions)
	taken := waitingTakes(t, takes, func(int) space.Space { return sp })
	for i := range takes {
		if i%20 == 10 {
			s.Kill()
			s.Start()
		}
		_, err := space.Write(t.Context(), writer, entry{i + 1})
		require.NoError(t, err)
	}
	seen := map[int]bool{}
	for range takes {
		id := <-taken
		require.False(t, seen[id], "%d was taken twice", id)
		seen[id] = true
	}
	requireNothingReserved(t, writer)
}

// A take that is cancelled while it waits takes nothing: whatever crosses, each entry is either returned or there.
func TestParted_CancelledTakesTakeNothing(t *testing.T) {
	t.Parallel()
	const rounds, partitions = 200, 3
	sp := spacetest.Server(t, spacetest.ServerConfig{Durability: node.Memory}).DialParted(t, partitions)
	got := 0
	for i := range rounds {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := space.Take(ctx, sp, entry{})
			done <- err
		}()
		_, err := space.Write(t.Context(), sp, entry{i + 1})
		require.NoError(t, err)
		cancel()
		if err := <-done; err == nil {
			got++
		} else {
			require.ErrorIs(t, err, context.Canceled)
		}
	}
	left := 0
	for {
		all, err := space.TakeAll(t.Context(), sp, entry{}, rounds, space.NoWait())
		if err != nil {
			require.ErrorIs(t, err, space.ErrNoMatch)
			break
		}
		left += len(all)
	}
	require.Equal(t, rounds, got+left)
}

// customer is a kind whose entries live where its others do.
type customer struct {
	Name  string `space:"name,route"`
	Order int
}

// What concerns one partition is as in a space of one: order, and waiting in order.
func TestParted_RoutesKeepOrder(t *testing.T) {
	t.Parallel()
	sp := spacetest.Server(t, spacetest.ServerConfig{Durability: node.Memory}).DialParted(t, 5)
	names := []string{"ann", "bob", "cid", "dora", "eve", "fay", "gus"}
	var all []customer
	for i := range 10 {
		for _, name := range names {
			all = append(all, customer{name, i})
		}
	}
	_, err := space.WriteAll(t.Context(), sp, all)
	require.NoError(t, err)
	for _, name := range names {
		for i := range 10 {
			c, err := space.Take(t.Context(), sp, customer{Name: name}, space.NoWait())
			require.NoError(t, err)
			require.Equal(t, customer{name, i}, c)
		}
	}
}

// A write to several partitions stores all or none.
func TestParted_WritesStoreAllOrNone(t *testing.T) {
	t.Parallel()
	sp := spacetest.Server(t, spacetest.ServerConfig{Durability: node.Memory}).DialParted(t, 5)
	var all []customer
	for i := range 50 {
		all = append(all, customer{fmt.Sprint("customer ", i), i})
	}
	leases, err := space.WriteAll(t.Context(), sp, all)
	require.NoError(t, err)
	for i, l := range leases {
		c, err := space.TakeID[customer](t.Context(), sp, l.ID())
		require.NoError(t, err)
		require.Equal(t, all[i], c, "leases are in the order of the entries")
	}
	all[49].Name = strings.Repeat("x", 2<<20) // too large for an entry
	_, err = space.WriteAll(t.Context(), sp, all)
	require.ErrorIs(t, err, space.ErrTooLarge)
	n, err := space.Count(t.Context(), sp, customer{})
	require.NoError(t, err)
	require.Zero(t, n)
}

// apart returns two customers with an order each, which are in different partitions.
func apart(t *testing.T, sp space.Space) (a, b customer) {
	t.Helper()
	at := func(c customer) uint16 {
		l, err := space.Write(t.Context(), sp, c)
		require.NoError(t, err)
		return txn.PartitionOf(uint64(l.ID()))
	}
	a = customer{"a", 1}
	for first, n := at(a), 0; ; n++ {
		if b = (customer{fmt.Sprint("b", n), 2}); at(b) != first {
			return a, b
		}
	}
}

// A deadlock over two partitions is not found. It ends with the lease of one of the transactions: that has ended, the
// other one gets what it waits for, and nothing is lost.
func TestParted_ADeadlockEndsWithALease(t *testing.T) {
	t.Parallel()
	sp, ctx := spacetest.Server(t, spacetest.ServerConfig{Durability: node.Memory}).DialParted(t, 2), t.Context()
	a, b := apart(t, sp)
	locked := func(c customer, lease time.Duration) *space.Txn {
		tx, err := space.Begin(ctx, sp, space.For(lease))
		require.NoError(t, err)
		_, err = space.Take(ctx, sp, c, space.In(tx))
		require.NoError(t, err)
		return tx
	}
	long, brief := locked(a, time.Hour), locked(b, time.Second)
	waited := make(chan error, 1)
	go func() {
		_, err := space.Take(ctx, sp, b, space.In(long))
		waited <- err
	}()
	_, err := space.Take(ctx, sp, a, space.In(brief))
	require.ErrorIs(t, err, space.ErrTxnEnded)
	require.NotErrorIs(t, err, space.ErrDeadlock)
	require.ErrorIs(t, brief.Commit(ctx), space.ErrTxnEnded)
	require.NoError(t, <-waited)
	require.NoError(t, long.Abort(ctx))
	for _, c := range []customer{a, b} {
		got, err := space.Take(ctx, sp, c, space.NoWait())
		require.NoError(t, err)
		require.Equal(t, c, got)
	}
}
