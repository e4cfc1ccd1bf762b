package work_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/work"
)

// A handler that meets others time after time is called less and less often, and no attempt counts.
func TestRun_PausesLongerAndLongerAfterConflicts(t *testing.T) {
	for _, met := range []error{space.ErrVersionConflict, space.ErrLocked} {
		bubble(t, func(ctx context.Context, sp space.Space) {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			write(t, sp, Task{ID: 1})
			calls := 0
			var stats work.Stats
			err := work.Run(ctx, sp, Task{}, func(ctx context.Context, job *work.Job[Task]) error {
				calls++
				require.Zero(t, job.Attempts)
				return fmt.Errorf("somewhere else: %w", met)
			}, work.Config{Workers: 1, Tries: 1, Report: stats.Add})
			require.NoError(t, err)
			require.Equal(t, calls, stats.Count(work.Returned))
			require.Greater(t, calls, 18, "ten pauses that grow, and then at most 5 s each")
			require.Less(t, calls, 34, "at least 2.5 s each")
			require.Equal(t, 1, count(t, sp, Task{}))
		})
	}
}

// The news that a transaction was ended to break a deadlock may come before the answer of the call that waited.
func TestRun_PausesAfterTheNewsOfADeadlock(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		write(t, sp, Task{ID: 1})
		calls := 0
		var stats work.Stats
		err := work.Run(ctx, sp, Task{}, func(ctx context.Context, job *work.Job[Task]) error {
			if calls++; calls > 1 {
				return nil
			}
			require.NoError(t, sp.Abort(ctx, job.Txn.ID()))
			job.Txn.Lose(space.ErrDeadlock)
			require.ErrorIs(t, context.Cause(ctx), space.ErrDeadlock)
			require.ErrorIs(t, context.Cause(ctx), space.ErrTxnEnded)
			return ctx.Err()
		}, work.Config{Workers: 1, Tries: 1, Report: stats.Add}, space.NoWait())
		require.NoError(t, err)
		require.Equal(t, 1, stats.Count(work.Returned))
		require.Equal(t, 1, stats.Count(work.Done))
		require.Zero(t, stats.Count(work.Lost))
	})
}

// The pause after a conflict ends with the work.
func TestRun_EndsDuringAPauseAfterAConflict(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		ctx, cancel := context.WithCancel(ctx)
		write(t, sp, Task{ID: 1})
		began := time.Now()
		err := work.Run(ctx, sp, Task{}, func(ctx context.Context, job *work.Job[Task]) error {
			go func() {
				synctest.Wait()
				cancel()
			}()
			return space.ErrDeadlock
		}, work.Config{})
		require.NoError(t, err)
		require.Equal(t, began, time.Now())
		require.Equal(t, 1, count(t, sp, Task{}))
	})
}
