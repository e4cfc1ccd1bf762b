package space_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func TestKeeper_KeepsUntilStopped(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		lease, err := space.Write(ctx, sp, Task{ID: 1}, space.For(time.Minute))
		require.NoError(t, err)
		keeper := space.KeepAlive(ctx, time.Minute, lease)
		time.Sleep(10 * time.Hour)
		require.GreaterOrEqual(t, lease.Remaining(), 40*time.Second)
		require.Equal(t, 1, count(t, sp, Task{}))

		keeper.Stop()
		keeper.Stop()
		_, open := <-keeper.Lost()
		require.False(t, open)
		require.NoError(t, keeper.Err())
		time.Sleep(time.Minute)
		require.Zero(t, count(t, sp, Task{}))
	})
}

func TestKeeper_EndsWithItsContext(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		ctx, cancel := context.WithCancel(ctx)
		keeper := space.KeepAlive(ctx, time.Minute, write(t, sp, Task{ID: 1})...)
		cancel()
		_, open := <-keeper.Lost()
		require.False(t, open)
	})
}

func TestKeeper_TellsWhichLeaseIsLost(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		leases, err := space.WriteAll(ctx, sp, []Task{{ID: 1}, {ID: 2}}, space.For(time.Minute))
		require.NoError(t, err)
		keeper := space.KeepAlive(ctx, time.Minute, leases...)
		defer keeper.Stop()
		_, err = space.Take(ctx, sp, Task{ID: 1})
		require.NoError(t, err)

		loss := <-keeper.Lost()
		require.Same(t, leases[0], loss.Lease)
		require.ErrorIs(t, loss.Err, space.ErrLeaseEnded)
		require.ErrorIs(t, keeper.Err(), space.ErrLeaseEnded)
		time.Sleep(time.Hour)
		require.Equal(t, 1, count(t, sp, Task{ID: 2}), "the other is kept")

		require.NoError(t, leases[1].Cancel(ctx))
		require.Same(t, leases[1], (<-keeper.Lost()).Lease)
		_, open := <-keeper.Lost()
		require.False(t, open, "there is nothing left to keep")
	})
}

func TestKeeper_OfAClosedSpace(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		keeper := space.KeepAlive(ctx, time.Minute, write(t, sp, Task{ID: 1})...)
		require.NoError(t, sp.Close())
		require.ErrorIs(t, (<-keeper.Lost()).Err, space.ErrClosed)
	})
}

func TestKeeper_WithoutLeases(t *testing.T) {
	bubble(t, func(ctx context.Context, _ space.Space) {
		keeper := space.KeepAlive(ctx, time.Minute)
		_, open := <-keeper.Lost()
		require.False(t, open)
		keeper.Stop()
	})
}

var errDown = errors.New("the line is down")

// lossy is a space whose Renew can be cut off, with an error or without an answer.
type lossy struct {
	space.Space
	down, mute atomic.Bool
	cut        atomic.Int64 // how many calls were cut off
}

func (s *lossy) Renew(ctx context.Context, d time.Duration, ids ...space.LeaseID) ([]space.Grant, error) {
	switch {
	case s.mute.Load():
		s.cut.Add(1)
		<-ctx.Done()
		return nil, ctx.Err()
	case s.down.Load():
		s.cut.Add(1)
		return nil, errDown
	}
	return s.Space.Renew(ctx, d, ids...)
}

func TestKeeper_OutlivesShortFailures(t *testing.T) {
	bubble(t, func(ctx context.Context, local space.Space) {
		sp := &lossy{Space: local}
		lease, err := space.Write(ctx, sp, Task{ID: 1}, space.For(time.Minute))
		require.NoError(t, err)
		keeper := space.KeepAlive(ctx, time.Minute, lease)
		defer keeper.Stop()
		for range 10 {
			sp.down.Store(true)
			time.Sleep(35 * time.Second) // the lease still runs: it was renewed at most 20 s before
			sp.down.Store(false)
			time.Sleep(30 * time.Second)
		}
		require.Positive(t, sp.cut.Load())
		require.NoError(t, keeper.Err())
		require.Equal(t, 1, count(t, sp, Task{}))
	})
}

func TestKeeper_TellsOfALongFailureInTime(t *testing.T) {
	for name, fail := range map[string]func(*lossy){
		"error":     func(s *lossy) { s.down.Store(true) },
		"no answer": func(s *lossy) { s.mute.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(ctx context.Context, local space.Space) {
				sp := &lossy{Space: local}
				lease, err := space.Write(ctx, sp, Task{ID: 1}, space.For(time.Minute))
				require.NoError(t, err)
				keeper := space.KeepAlive(ctx, time.Minute, lease)
				defer keeper.Stop()
				fail(sp)
				loss := <-keeper.Lost()
				require.Error(t, loss.Err)
				require.Zero(t, lease.Remaining())
				require.WithinDuration(t, lease.Expires(), time.Now(), time.Second, "told when the lease was over")
			})
		})
	}
}

func TestKeeper_OneSilentSpaceDoesNotCostAnothersLeases(t *testing.T) {
	bubble(t, func(ctx context.Context, local space.Space) {
		mute := &lossy{Space: local}
		lost, err := space.Write(ctx, mute, Task{ID: 1}, space.For(time.Minute))
		require.NoError(t, err)
		kept, err := space.Write(ctx, local, Task{ID: 2}, space.For(time.Minute))
		require.NoError(t, err)
		mute.mute.Store(true)
		keeper := space.KeepAlive(ctx, time.Minute, lost, kept)
		defer keeper.Stop()
		require.Same(t, lost, (<-keeper.Lost()).Lease)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, 1, count(t, local, Task{ID: 2}))
	})
}
