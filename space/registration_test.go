package space_test

import (
	"context"
	"errors"
	"sync"
	"testing"
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
