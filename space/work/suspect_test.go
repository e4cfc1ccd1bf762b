package work_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/work"
)

// die takes tasks as a worker that vanishes, one attempt of each.
func die(t *testing.T, sp space.Space, ids ...int) {
	t.Helper()
	for _, id := range ids {
		_, _, err := space.TakeTxn(context.Background(), sp, Task{ID: id}, space.For(time.Second))
		require.NoError(t, err)
	}
	time.Sleep(2 * time.Second)
}

// A job that a worker has died with may be why. While it runs Run holds no other job, whose attempt would count if this
// worker died, too.
func TestRun_RunsASuspectAlone(t *testing.T) {
	for _, workers := range []int{1, 4, 64} {
		bubble(t, func(ctx context.Context, sp space.Space) {
			write(t, sp, taskRange(40)...)
			suspects := map[int]bool{15: true, 16: true, 31: true}
			die(t, sp, 15, 16, 31)
			var running, beside atomic.Int32
			var stats work.Stats
			err := work.Run(ctx, sp, Task{}, func(ctx context.Context, job *work.Job[Task]) error {
				defer running.Add(-1)
				n := running.Add(1)
				if n > 1 {
					beside.Add(1)
				}
				for range 10 {
					time.Sleep(time.Millisecond)
					if !suspects[job.Value.ID] {
						continue
					}
					held, err := space.Count(ctx, sp, Task{}, space.Held())
					require.NoError(t, err)
					require.Equal(t, 1, held, "workers: %d", workers)
				}
				return nil
			}, work.Config{Workers: workers, Report: stats.Add}, space.NoWait())
			require.NoError(t, err)
			require.Equal(t, 40, stats.Count(work.Done), "workers: %d", workers)
			require.Equal(t, workers > 1, beside.Load() > 0, "others run beside each other")
		})
	}
}

// A suspect that is given back because others run may be taken by another worker meanwhile. Run goes on then, and ends
// when there is nothing to do.
func TestRun_LeavesASuspectToOthers(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		write(t, sp, Task{ID: 1}, Task{ID: 2})
		die(t, sp, 2)
		var other *space.Txn
		var stats work.Stats
		err := work.Run(ctx, sp, Task{}, func(ctx context.Context, job *work.Job[Task]) error {
			require.Equal(t, 1, job.Value.ID)
			synctest.Wait()
			var err error
			_, other, err = space.TakeTxn(ctx, sp, Task{ID: 2}, space.NoWait())
			write(t, sp, Task{ID: 1, State: "late"})
			return err
		}, work.Config{Workers: 2, Report: stats.Add}, space.Where("state", space.Eq("")), space.NoWait())
		require.NoError(t, err)
		require.Equal(t, 1, stats.Count(work.Done))
		require.NoError(t, other.Abort(ctx))

		require.NoError(t, work.Run(ctx, sp, Task{}, stageDone, work.Config{}, space.NoWait()))
		require.Equal(t, 1, count(t, sp, Done{ID: 2}), "still a suspect, it runs alone")
		require.Equal(t, 2, count(t, sp, Done{}))
	})
}

// A suspect that is waiting for its turn when Run's context ends is in the space.
func TestRun_EndsWhileASuspectWaits(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		write(t, sp, Task{ID: 1}, Task{ID: 2})
		die(t, sp, 2)
		working, cancel := context.WithCancel(ctx)
		defer cancel()
		err := work.Run(working, sp, Task{}, func(ctx context.Context, job *work.Job[Task]) error {
			require.Equal(t, 1, job.Value.ID)
			synctest.Wait()
			cancel()
			return nil
		}, work.Config{Workers: 2})
		require.NoError(t, err)
		e, err := space.ReadEntry(ctx, sp, Task{ID: 2}, space.NoWait())
		require.NoError(t, err)
		require.EqualValues(t, 1, e.Attempts)
	})
}
