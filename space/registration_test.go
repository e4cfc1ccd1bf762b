package space_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
)

func notify(t testing.TB, sp space.Space, template Task, opts ...space.NotifyOption) space.Registration {
	t.Helper()
	reg, err := space.Notify(context.Background(), sp, template, opts...)
	require.NoError(t, err)
	return reg
}

func TestNotify_EachWriteOnceInOrder(t *testing.T) {
	t.Parallel()
	sp := newSpace(t)
	write(t, sp, Task{ID: 99, State: "new"})
	reg := notify(t, sp, Task{State: "new"})
	for id := 1; id <= 3; id++ {
		write(t, sp, Task{ID: id, State: "new"}, Task{ID: id, State: "old"})
	}
	require.NoError(t, reg.Lease().Cancel(t.Context()))
	for id := 1; id <= 3; id++ {
		e, err := reg.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, reg.Start()+uint64(id), e.Seq)
		require.Equal(t, int64(id), e.Entry.Fields()["id"])
	}
	for range 2 {
		_, err := reg.Next(t.Context())
		require.ErrorIs(t, err, space.ErrLeaseEnded, "after the last event")
	}
}

// A listener that is slower than its feed is long gets everything that the space has kept for it.
func TestNotify_SlowListenerCatchesUp(t *testing.T) {
	t.Parallel()
	const n = 5000
	sp := newSpace(t)
	reg := notify(t, sp, Task{})
	for id := range n {
		write(t, sp, Task{ID: id})
	}
	for id := range n {
		require.Equal(t, id, nextTask(t, reg).ID)
	}
	write(t, sp, Task{ID: n})
	require.Equal(t, n, nextTask(t, reg).ID)
}

// Beyond what the space keeps, the listener is told how many events it has missed.
func TestNotify_GapIsTold(t *testing.T) {
	t.Parallel()
	const n, backlog = 5000, 100
	sp := memory.New(memory.Config{EventBacklog: backlog})
	defer sp.Close()
	reg := notify(t, sp, Task{})
	for id := 1; id <= n; id++ {
		write(t, sp, Task{ID: id})
	}
	var events, missed, last uint64
	for last < reg.Start()+n {
		e, err := reg.Next(t.Context())
		require.NoError(t, err)
		if e.Type == space.Gap {
			missed += e.Missed
			require.Equal(t, space.GapOverflow, e.Cause)
			require.Equal(t, last+e.Missed, e.Seq)
		} else {
			events++
			require.Equal(t, last+1, e.Seq)
			require.EqualValues(t, e.Seq-reg.Start(), e.Entry.Fields()["id"])
		}
		last = e.Seq
	}
	require.EqualValues(t, n, events+missed)
	require.Positive(t, missed)
}

// What was there before the end comes before the end, for slow listeners too.
func TestNotify_EndComesAfterTheLastEvent(t *testing.T) {
	t.Parallel()
	const n = 5000 // more than a feed holds
	sp := newSpace(t)
	reg := notify(t, sp, Task{})
	for id := 1; id <= n; id++ {
		write(t, sp, Task{ID: id})
	}
	require.NoError(t, sp.Cancel(t.Context(), reg.Lease().ID()))
	for id := 1; id <= n; id++ {
		e, err := reg.Next(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, id, e.Entry.Fields()["id"])
		require.Equal(t, reg.Start()+uint64(id), e.Seq)
	}
	_, err := reg.Next(t.Context())
	require.ErrorIs(t, err, space.ErrLeaseEnded)
}

func TestNotify_LeaseEndsWhileNextWaits(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		reg := notify(t, sp, Task{}, space.For(time.Minute))
		begin := time.Now()
		time.Sleep(30 * time.Second)
		_, err := reg.Lease().Renew(ctx, time.Minute)
		require.NoError(t, err)
		_, err = reg.Next(ctx)
		require.ErrorIs(t, err, space.ErrLeaseEnded)
		require.InDelta(t, 90, time.Since(begin).Seconds(), 1)
		require.NoError(t, reg.Close())
	})
}

func TestNotify_ZeroLeaseEndsAtOnce(t *testing.T) {
	t.Parallel()
	sp := newSpace(t)
	reg := notify(t, sp, Task{}, space.For(0))
	write(t, sp, Task{})
	_, err := reg.Next(t.Context())
	require.ErrorIs(t, err, space.ErrLeaseEnded)
	_, err = space.Notify(t.Context(), sp, Task{}, space.For(-1))
	require.ErrorIs(t, err, space.ErrInvalidArgument)
}

func TestRegistration_CloseEndsNext(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		reg := notify(t, sp, Task{})
		ended := make(chan error)
		for range 2 {
			go func() {
				_, err := reg.Next(ctx)
				ended <- err
			}()
		}
		synctest.Wait()
		require.NoError(t, reg.Close())
		require.NoError(t, reg.Close())
		require.ErrorIs(t, <-ended, space.ErrClosed)
		require.ErrorIs(t, <-ended, space.ErrClosed)
		require.ErrorIs(t, reg.Lease().Cancel(ctx), space.ErrLeaseEnded)
	})
}

func TestRegistration_NextEndsWithItsContext(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		reg := notify(t, sp, Task{})
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := reg.Next(short)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		write(t, sp, Task{ID: 1})
		_, err = reg.Next(short)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 1, nextTask(t, reg).ID, "nothing was lost with the context")
	})
}

func TestRegistration_ConcurrentListenersShareTheEvents(t *testing.T) {
	t.Parallel()
	const n = 3000
	sp := newSpace(t)
	reg := notify(t, sp, Task{})
	var mu sync.Mutex
	seen := map[uint64]bool{}
	var listeners sync.WaitGroup
	for range 4 {
		listeners.Go(func() {
			for {
				e, err := reg.Next(t.Context())
				if errors.Is(err, space.ErrLeaseEnded) {
					return
				}
				require.NoError(t, err)
				mu.Lock()
				require.False(t, seen[e.Seq])
				seen[e.Seq] = true
				all := len(seen) == n
				mu.Unlock()
				if all {
					require.NoError(t, reg.Lease().Cancel(t.Context()))
				}
			}
		})
	}
	for id := range n {
		write(t, sp, Task{ID: id})
	}
	listeners.Wait()
	require.Len(t, seen, n)
}

func TestEvents_KeepsItsRegistrationWhileItRuns(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		go func() {
			for id := 1; id <= 3; id++ {
				time.Sleep(time.Hour) // many times the registration's lease
				write(t, sp, Order{Payment{"ann", id}, "lamp"})
			}
		}()
		var cents []int
		for e, err := range space.Events(ctx, sp, Payment{}) {
			require.NoError(t, err)
			require.Equal(t, space.Written, e.Type)
			require.NotZero(t, e.ID)
			if cents = append(cents, e.Value.Cents); len(cents) == 3 {
				break
			}
		}
		require.Equal(t, []int{1, 2, 3}, cents)
	})
}

func TestEvents_EndsWithAnError(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		var last error
		for _, last = range space.Events(short, sp, Task{}) {
			require.Error(t, last)
		}
		require.ErrorIs(t, last, context.DeadlineExceeded)
		for _, last = range space.Events(ctx, sp, Task{}, space.For(-1)) {
			require.Error(t, last)
		}
		require.ErrorIs(t, last, space.ErrInvalidArgument)
	})
}

func TestEvents_GoesOnAfterAnUnusableEntry(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		go func() {
			time.Sleep(time.Second)
			write(t, sp, sturdy{Code: 1000}, sturdy{Code: 7})
		}()
		var failures int
		for e, err := range space.Events(ctx, sp, fragile{}) {
			if err != nil {
				var unusable *space.UnusableEntryError
				require.ErrorAs(t, err, &unusable)
				require.EqualValues(t, 1, e.Seq)
				failures++
				continue
			}
			require.EqualValues(t, 7, e.Value.Code)
			break
		}
		require.Equal(t, 1, failures)
	})
}
