package work_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/work"
	"github.com/gospaces/gospaces/txn"
)

// goroutinesOf returns how many goroutines there are that startWork has started, in this test, when all that can end
// have ended.
func goroutinesOf(t *testing.T) (n int) {
	synctest.Wait()
	var profile bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&profile, 1))
	labelled := regexp.MustCompile(`(\d+) @ .*\n# labels: {"work":"` + t.Name() + `"}`)
	for _, m := range labelled.FindAllStringSubmatch(profile.String(), -1) {
		same, err := strconv.Atoi(m[1])
		require.NoError(t, err)
		n += same
	}
	return n
}

// startWork starts a worker that stop ends. What Run returns comes from ended. Its goroutines carry the name of the
// test as a label.
func startWork(ctx context.Context, t *testing.T, sp space.Space, handler func(context.Context, *work.Job[Task]) error,
	cfg work.Config,
) (stop func(), ended chan error) {
	working, stop := context.WithCancel(ctx)
	ended = make(chan error, 1)
	go pprof.Do(working, pprof.Labels("work", t.Name()), func(ctx context.Context) {
		ended <- work.Run(ctx, sp, Task{}, handler, cfg)
	})
	synctest.Wait()
	return stop, ended
}

func TestRun_LeavesHandlersThatIgnoreTheirContexts(t *testing.T) {
	for _, drain := range []time.Duration{-1, 10 * time.Millisecond, time.Second, time.Hour} {
		bubble(t, func(ctx context.Context, sp space.Space) {
			write(t, sp, taskRange(5)...)
			var r reports
			goOn, late := make(chan struct{}), make(chan error, 6)
			stop, ended := startWork(ctx, t, sp, func(ctx context.Context, job *work.Job[Task]) error {
				require.NoError(t, stageDone(ctx, job))
				if job.Value.ID == 1 { // does not ignore it
					<-ctx.Done()
					return nil
				}
				<-goOn
				require.Error(t, ctx.Err())
				ctx = context.WithoutCancel(ctx)
				_, err := space.Write(ctx, sp, Done{}, space.In(job.Txn))
				late <- stageDone(ctx, job)
				late <- err
				late <- job.Txn.Commit(ctx)
				if job.Value.ID == 2 {
					runtime.Goexit()
				}
				return nil
			}, work.Config{Workers: 3, Drain: drain, Report: r.add})
			began, drain := time.Now(), max(0, drain)
			stop()
			err := <-ended
			left, ok := errors.AsType[*work.DrainError](err)
			require.True(t, ok, err)
			require.Equal(t, &work.DrainError{Running: 2, Drain: drain}, left)
			require.LessOrEqual(t, time.Since(began), max(drain, 100*time.Millisecond))
			require.GreaterOrEqual(t, time.Since(began), drain*9/10)
			synctest.Wait()
			require.Equal(t, 2, goroutinesOf(t), "only the handlers that were left")
			require.Equal(t, map[work.Outcome]int{work.Done: 1, work.Returned: 2}, tally(r.outcomes()))
			require.ErrorIs(t, r.all[len(r.all)-1].Err, space.ErrTxnEnded)

			jobs, err := sp.Take(ctx, matchAll(t, sp, Task{}, 5))
			require.NoError(t, err)
			require.Len(t, jobs, 4, "the jobs are back before Work returns")
			require.Zero(t, jobs[0].Attempts)
			close(goOn)
			for range cap(late) {
				require.ErrorIs(t, <-late, space.ErrTxnEnded)
			}
			synctest.Wait()
			require.Zero(t, goroutinesOf(t))
			require.Equal(t, 1, count(t, sp, Done{}), "of the handler that finished")
			require.Len(t, r.outcomes(), 3, "a handler that was left is told of once")
		})
	}
}

// silent is a space that does not answer when transactions are to end.
type silent struct {
	space.Space
}

func (silent) Commit(ctx context.Context, _ txn.ID, _ []space.Draft) ([]space.Grant, error) {
	<-ctx.Done()
	return nil, fmt.Errorf("%w: %w", space.ErrOutcomeUnknown, ctx.Err())
}

func (silent) Abort(ctx context.Context, _ txn.ID) error {
	<-ctx.Done()
	return ctx.Err()
}

func (silent) Cancel(ctx context.Context, _ ...space.LeaseID) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestRun_EndsInTimeIfTheSpaceDoesNotAnswer(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		write(t, sp, taskRange(3)...)
		var r reports
		stop, ended := startWork(ctx, t, silent{sp}, func(ctx context.Context, job *work.Job[Task]) error {
			switch job.Value.ID {
			case 1:
				return nil // the commit has no answer
			case 2:
				<-ctx.Done()
				return ctx.Err() // and so has the abort
			}
			time.Sleep(time.Minute)
			return nil
		}, work.Config{Workers: 3, Drain: 10 * time.Second, Report: r.add})
		began := time.Now()
		stop()
		require.EqualError(t, <-ended,
			"work: the drain time of 10s is over; handlers still running: 1 (their jobs are given back)")
		require.Equal(t, 10*time.Second, time.Since(began))
		require.Equal(t, map[work.Outcome]int{work.Lost: 2, work.Returned: 1}, tally(r.outcomes()))
		require.Equal(t, 1, goroutinesOf(t))
		time.Sleep(time.Minute)
	})
}
