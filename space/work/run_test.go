package work_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/codec"
	"github.com/gospaces/gospaces/space/memory"
	"github.com/gospaces/gospaces/space/work"
	"github.com/gospaces/gospaces/template"
)

// stageDone is a handler that succeeds.
func stageDone(ctx context.Context, job *work.Job[Task]) error {
	return job.Stage(ctx, Done{job.Value.ID})
}

// taskRange returns tasks with the IDs from 1 to n.
func taskRange(n int) []Task {
	ts := make([]Task, n)
	for i := range ts {
		ts[i] = Task{ID: i + 1}
	}
	return ts
}

// reports collects what Run reports.
type reports struct {
	mu  sync.Mutex
	all []work.Report // guarded by mu
}

func (r *reports) add(report work.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, report)
}

func (r *reports) outcomes() []work.Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	var os []work.Outcome
	for _, report := range r.all {
		os = append(os, report.Outcome)
	}
	return os
}

// The only attempt of a job is its handler's.
func TestRun_TakesNoneAheadThatHaveOneTry(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		write(t, sp, taskRange(9)...)
		left := 9
		err := work.Run(ctx, sp, Task{}, func(ctx context.Context, job *work.Job[Task]) error {
			time.Sleep(time.Millisecond)
			left--
			require.Equal(t, left, count(t, sp, Task{}))
			return nil
		}, work.Config{Workers: 1, Tries: 1}, space.NoWait())
		require.NoError(t, err)
		require.Zero(t, left)
	})
}

func TestRun_RunsHandlersAtTheSameTime(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		write(t, sp, taskRange(20)...)
		var running, most atomic.Int32
		began := time.Now()
		err := work.Run(ctx, sp, Task{}, func(ctx context.Context, job *work.Job[Task]) error {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			time.Sleep(time.Second)
			return nil
		}, work.Config{Workers: 4}, space.NoWait())
		require.NoError(t, err)
		require.EqualValues(t, 4, most.Load())
		require.Equal(t, 5*time.Second, time.Since(began))
	})
}

// tick is more than the space may be late with what is delayed.
const tick = 5 * time.Millisecond

func TestRun_RetriesLaterAndLater(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		lease := write(t, sp, Task{ID: 1})[0]
		began := time.Now()
		var attempts []time.Duration
		var r reports
		err := work.Run(ctx, sp, Task{}, func(ctx context.Context, job *work.Job[Task]) error {
			require.Equal(t, len(attempts), job.Attempts)
			require.Equal(t, lease.ID(), job.ID, "it stays the same entry")
			attempts = append(attempts, time.Since(began))
			_, err := space.Write(ctx, sp, Done{job.Value.ID}, space.In(job.Txn))
			require.NoError(t, err)
			require.NoError(t, stageDone(ctx, job))
			if len(attempts) < 6 {
				return fmt.Errorf("attempt %d", len(attempts))
			}
			cancel()
			return nil
		}, work.Config{MinBackoff: time.Second, MaxBackoff: 8 * time.Second, Report: r.add})
		require.NoError(t, err)
		require.Len(t, attempts, 6)
		for i, most := range []time.Duration{1, 2, 4, 8, 8} {
			pause := attempts[i+1] - attempts[i]
			require.GreaterOrEqual(t, pause, r.all[i].Delay)
			require.Less(t, pause, r.all[i].Delay+tick)
			require.LessOrEqual(t, r.all[i].Delay, most*time.Second)
			require.GreaterOrEqual(t, r.all[i].Delay, most*time.Second/2)
			require.EqualError(t, r.all[i].Err, fmt.Sprintf("attempt %d", i+1))
			require.Equal(t, work.Retried, r.all[i].Outcome)
		}
		require.Equal(t, work.Done, r.all[5].Outcome)
		require.Equal(t, 2, count(t, sp, Done{}), "what the failed attempts did is undone")
		require.Zero(t, count(t, sp, Task{}))
	})
}

func TestRun_RetryAfter(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		write(t, sp, Task{ID: 1})
		began := time.Now()
		errBusy := errors.New("busy")
		err := work.Run(ctx, sp, Task{}, func(_ context.Context, job *work.Job[Task]) error {
			if job.Attempts == 0 {
				return fmt.Errorf("wrapped: %w", work.RetryAfter(time.Hour, errBusy))
			}
			return nil
		}, work.Config{}, space.Wait(2*time.Hour))
		require.NoError(t, err)
		require.InDelta(t, 3*time.Hour, time.Since(began), float64(tick), "an hour for the retry, and two without work")
		require.Zero(t, count(t, sp, Task{}))
		require.ErrorIs(t, work.RetryAfter(time.Hour, errBusy), errBusy)
		require.NoError(t, work.RetryAfter(time.Hour, nil))
	})
}

func TestRun_BuriesAfterTheLastTry(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		id := write(t, sp, Task{ID: 7, State: "new"})[0].ID()
		tries := 0
		var r reports
		err := work.Run(ctx, sp, Task{}, func(ctx context.Context, job *work.Job[Task]) error {
			tries++
			require.NoError(t, stageDone(ctx, job))
			panic("boom")
		}, work.Config{Tries: 3, Report: r.add}, space.Wait(time.Hour))
		require.NoError(t, err)
		require.Equal(t, 3, tries)
		require.Equal(t, []work.Outcome{work.Retried, work.Retried, work.Dead}, r.outcomes())
		var failure *work.PanicError
		require.ErrorAs(t, r.all[2].Err, &failure)
		require.Equal(t, "boom", failure.Value)
		require.Contains(t, string(failure.Stack), "run_test.go")
		require.Zero(t, count(t, sp, Task{}))
		require.Zero(t, count(t, sp, Done{}))

		letter, err := space.Read(ctx, sp, work.DeadLetter{JobKind: "task"}, space.NoWait())
		require.NoError(t, err)
		require.Equal(t, id, letter.Job)
		require.Equal(t, 3, letter.Attempts)
		require.Equal(t, "the handler panicked: boom", letter.Reason)
		require.JSONEq(t, `{"id":7,"state":"new","priority":0}`, letter.Fields)

		n, err := work.Revive(ctx, sp, work.DeadLetter{JobKind: "task"}, 0)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Zero(t, count(t, sp, work.DeadLetter{}))
		task, err := space.Take(ctx, sp, Task{}, space.NoWait())
		require.NoError(t, err)
		require.Equal(t, Task{ID: 7, State: "new"}, task)
	})
}

func TestRevive_SomeOfMany(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	n, err := work.Revive(ctx, sp, work.DeadLetter{}, 0)
	require.NoError(t, err)
	require.Zero(t, n)
	write(t, sp, taskRange(250)...)
	errNo := errors.New("no")
	err = work.Run(ctx, sp, Task{}, func(context.Context, *work.Job[Task]) error {
		return work.Permanent(errNo)
	}, work.Config{}, space.NoWait())
	require.NoError(t, err)
	require.Equal(t, 250, count(t, sp, work.DeadLetter{Reason: "no", Attempts: 1}))
	n, err = work.Revive(ctx, sp, work.DeadLetter{}, 120)
	require.NoError(t, err)
	require.Equal(t, 120, n)
	n, err = work.Revive(ctx, sp, work.DeadLetter{JobKind: "other"}, 0)
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = work.Revive(ctx, sp, work.DeadLetter{}, 0)
	require.NoError(t, err)
	require.Equal(t, 130, n)
	require.Equal(t, 250, count(t, sp, Task{}))
}

// FailedTask is a dead letter of a program's own.
type FailedTask struct {
	Task   Task
	Reason string
}

func TestRun_WritesDeadLettersOfTheProgram(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, Task{ID: 1, State: "new"})
	errNo := errors.New("no")
	bury := work.Config{DeadLetter: func(job space.Entry, d work.DeadLetter) any {
		task, err := space.Decode[Task](job)
		require.NoError(t, err)
		return FailedTask{task, d.Reason}
	}}
	fails := func(_ context.Context, job *work.Job[Task]) error {
		job.Value.State = "spoilt"
		return work.Permanent(errNo)
	}
	require.NoError(t, work.Run(ctx, sp, Task{}, fails, bury, space.NoWait()))
	letter, err := space.Take(ctx, sp, FailedTask{}, space.NoWait())
	require.NoError(t, err)
	require.Equal(t, FailedTask{Task{ID: 1, State: "new"}, "no"}, letter)
	require.ErrorIs(t, work.Permanent(errNo), errNo)
	require.NoError(t, work.Permanent(nil))
}

// A program that has no letter for a job keeps the job.
func TestRun_KeepsAJobWithoutALetter(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, Task{ID: 1})
	for _, letter := range []any{nil, 7} {
		var r reports
		err := work.Run(ctx, sp, Task{}, func(context.Context, *work.Job[Task]) error {
			return work.Permanent(errors.New("no"))
		}, work.Config{
			DeadLetter: func(space.Entry, work.DeadLetter) any { return letter }, MinBackoff: time.Hour, Report: r.add,
		}, space.NoWait())
		require.NoError(t, err)
		require.Equal(t, []work.Outcome{work.Retried}, r.outcomes())
		write(t, sp, Task{ID: 1})
	}
}

// smallTask is of the same kind as Task, but cannot hold large numbers.
type smallTask struct {
	ID       int
	Priority int8
}

func (smallTask) Kind() string { return "task" }

func TestRun_BuriesWhatItCannotHold(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, Task{ID: 1, Priority: 1000}, Task{ID: 2, Priority: 1})
	var done []int
	err := work.Run(ctx, sp, smallTask{}, func(_ context.Context, job *work.Job[smallTask]) error {
		done = append(done, job.Value.ID)
		return nil
	}, work.Config{Workers: 1}, space.NoWait())
	require.NoError(t, err)
	require.Equal(t, []int{2}, done)
	letter, err := space.Take(ctx, sp, work.DeadLetter{}, space.NoWait())
	require.NoError(t, err)
	require.Contains(t, letter.Fields, "1000")
}

// A letter that is larger than an entry may be must not cost the job.
func TestRun_KeepsAJobThatCannotBeBuried(t *testing.T) {
	bubble(t, func(ctx context.Context, _ space.Space) {
		sp := memory.New(memory.Config{MaxEntry: 1000})
		defer sp.Close()
		var r reports
		fails := func(context.Context, *work.Job[Task]) error { return work.Permanent(errors.New("no")) }
		write(t, sp, Task{ID: 1, State: string(make([]byte, 970))})
		require.NoError(t, work.Run(ctx, sp, Task{}, fails, work.Config{Report: r.add}, space.NoWait()))
		require.Equal(t, []work.Outcome{work.Retried}, r.outcomes())
		time.Sleep(time.Minute)
		require.Equal(t, 1, count(t, sp, Task{}))

		write(t, sp, Task{ID: 2, State: string(make([]byte, 500))})
		require.NoError(t, work.Run(ctx, sp, Task{ID: 2}, fails, work.Config{}, space.NoWait()))
		letter, err := space.Take(ctx, sp, work.DeadLetter{}, space.NoWait())
		require.NoError(t, err)
		require.Empty(t, letter.Fields, "there is no room for both forms")
		require.Contains(t, string(letter.Row), string(make([]byte, 500)))
	})
}

func TestRun_FailsWhenAResultIsRefused(t *testing.T) {
	bubble(t, func(ctx context.Context, _ space.Space) {
		sp := memory.New(memory.Config{MaxEntry: 1000})
		defer sp.Close()
		write(t, sp, Task{ID: 1})
		var r reports
		err := work.Run(ctx, sp, Task{}, func(ctx context.Context, job *work.Job[Task]) error {
			return job.Stage(ctx, Task{State: string(make([]byte, 2000))})
		}, work.Config{Tries: 2, Report: r.add}, space.Wait(time.Hour))
		require.NoError(t, err)
		require.Equal(t, []work.Outcome{work.Retried, work.Dead}, r.outcomes())
		require.ErrorIs(t, r.all[0].Err, space.ErrTooLarge)
	})
}

func TestRun_OutlivesAHandlerThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	write(t, sp, taskRange(2)...)
	err := work.Run(ctx, sp, Task{}, func(ctx context.Context, job *work.Job[Task]) error {
		if job.Value.ID == 1 {
			runtime.Goexit()
		}
		return stageDone(ctx, job)
	}, work.Config{Workers: 1, Tries: 1}, space.NoWait())
	require.NoError(t, err)
	require.Equal(t, 1, count(t, sp, Done{ID: 2}))
	require.Equal(t, 1, count(t, sp, work.DeadLetter{}))
}

// The space may grant less than is asked for.
func TestRun_KeepsShortLeasesAlive(t *testing.T) {
	bubble(t, func(ctx context.Context, _ space.Space) {
		sp := memory.New(memory.Config{MaxTxnLease: 2 * time.Second})
		defer sp.Close()
		write(t, sp, Task{ID: 1})
		err := work.Run(ctx, sp, Task{}, func(ctx context.Context, job *work.Job[Task]) error {
			time.Sleep(time.Hour)
			return stageDone(ctx, job)
		}, work.Config{Lease: time.Hour}, space.NoWait())
		require.NoError(t, err)
		require.Equal(t, 1, count(t, sp, Done{}))
	})
}

func TestRun_TellsTheHandlerThatItsLeaseIsLost(t *testing.T) {
	for name, lose := range map[string]func(ctx context.Context, sp *lossy, job *work.Job[Task]){
		"aborted": func(ctx context.Context, sp *lossy, job *work.Job[Task]) {
			require.NoError(t, sp.Abort(ctx, job.Txn.ID()))
		},
		"error":     func(_ context.Context, sp *lossy, _ *work.Job[Task]) { sp.down.Store(true) },
		"no answer": func(_ context.Context, sp *lossy, _ *work.Job[Task]) { sp.mute.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(ctx context.Context, local space.Space) {
				sp := &lossy{Space: local}
				write(t, sp, Task{ID: 1})
				var r reports
				began := time.Now()
				err := work.Run(ctx, sp, Task{}, func(ctx context.Context, job *work.Job[Task]) error {
					if len(r.outcomes()) > 0 {
						return nil
					}
					time.Sleep(time.Minute) // the space has told how much it grants
					lose(ctx, sp, job)
					staged := stageDone(ctx, job)
					<-ctx.Done()
					require.ErrorIs(t, context.Cause(ctx), space.ErrTxnEnded)
					if name != "aborted" { // of which the transaction hears at once
						require.NoError(t, staged)
					}
					sp.down.Store(false)
					sp.mute.Store(false)
					return nil
				}, work.Config{Workers: 1, Lease: time.Minute, Report: r.add}, space.Wait(time.Hour))
				require.NoError(t, err)
				require.Equal(t, []work.Outcome{work.Lost, work.Done}, r.outcomes())
				require.Equal(t, name != "aborted", r.all[1].Attempts == 1, "for the space the worker is gone when its lease ends")
				require.Zero(t, count(t, sp, Done{}))
				require.Less(t, time.Since(began), 3*time.Minute+time.Hour)
			})
		})
	}
}

// The handler must not believe in its job for longer than the space has granted, even if renewals get no answer.
func TestRun_TrustsALeaseOnlyAsLongAsItWasGranted(t *testing.T) {
	bubble(t, func(ctx context.Context, _ space.Space) {
		local := memory.New(memory.Config{MaxTxnLease: 2 * time.Second})
		defer local.Close()
		sp := &lossy{Space: local}
		sp.mute.Store(true)
		write(t, sp, Task{ID: 1})
		began, trusted := time.Now(), time.Duration(0)
		err := work.Run(ctx, sp, Task{}, func(ctx context.Context, _ *work.Job[Task]) error {
			if trusted == 0 {
				<-ctx.Done()
				trusted = time.Since(began)
				sp.mute.Store(false)
			}
			return nil
		}, work.Config{Workers: 1, Lease: time.Hour}, space.Wait(time.Minute))
		require.NoError(t, err)
		require.Equal(t, 2*time.Second, trusted)
	})
}

func TestRun_Drains(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		working, stop := context.WithCancel(ctx)
		write(t, sp, taskRange(10)...)
		var r reports
		ended := make(chan error, 1)
		go func() {
			ended <- work.Run(working, sp, Task{}, func(ctx context.Context, job *work.Job[Task]) error {
				time.Sleep(20 * time.Millisecond)
				if job.Value.ID == 3 {
					stop()
					time.Sleep(8 * time.Second)
				}
				require.NoError(t, ctx.Err())
				return stageDone(ctx, job)
			}, work.Config{Workers: 1, Prefetch: 2, Report: r.add})
		}()
		<-working.Done()
		synctest.Wait()
		require.Equal(t, 7, count(t, sp, Task{}), "jobs that wait for a handler are back at once")
		task, err := space.Take(ctx, sp, Task{}, space.NoWait())
		require.NoError(t, err)
		require.Equal(t, 4, task.ID, "in their old place")
		require.NoError(t, <-ended)
		require.Equal(t, 3, count(t, sp, Done{}), "the handler that ran has finished")
		require.Equal(t, 6, count(t, sp, Task{}))
		require.Equal(t, map[work.Outcome]int{work.Done: 3, work.Returned: 2}, tally(r.outcomes()))
	})
}

func tally(os []work.Outcome) map[work.Outcome]int {
	n := map[work.Outcome]int{}
	for _, o := range os {
		n[o]++
	}
	return n
}

func TestRun_EndsHandlersThatTakeTooLong(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		working, stop := context.WithCancel(ctx)
		write(t, sp, taskRange(3)...)
		var r reports
		ended := make(chan error, 1)
		go func() {
			ended <- work.Run(working, sp, Task{}, func(ctx context.Context, job *work.Job[Task]) error {
				require.NoError(t, stageDone(ctx, job))
				switch job.Value.ID {
				case 1: // finishes although it is told to end
					<-ctx.Done()
					return nil
				case 2:
					<-ctx.Done()
					return context.Cause(ctx)
				}
				<-working.Done() // looks at the wrong context
				return working.Err()
			}, work.Config{Workers: 3, Drain: time.Minute, Report: r.add})
		}()
		synctest.Wait()
		began := time.Now()
		stop()
		require.NoError(t, <-ended)
		require.Equal(t, 59*time.Second, time.Since(began))
		require.Equal(t, map[work.Outcome]int{work.Done: 1, work.Returned: 2}, tally(r.outcomes()))
		require.Equal(t, 1, count(t, sp, Done{ID: 1}))
		entries, err := sp.Take(ctx, matchAll(t, sp, Task{}, 3))
		require.NoError(t, err)
		require.Len(t, entries, 2, "back at once")
		for _, e := range entries {
			require.Zero(t, e.Attempts)
		}
	})
}

// matchAll returns a query for up to n matches that are there.
func matchAll(t *testing.T, sp space.Space, template any, n int) space.Query {
	q, err := space.Match(t.Context(), sp, template)
	require.NoError(t, err)
	q.NoWait, q.Max = true, n
	return q
}

func TestRun_TakesAheadOnlyWhatIsSoonBegun(t *testing.T) {
	for _, c := range []struct {
		name  string
		takes time.Duration
		held  int // by one worker, and for it
	}{
		{"slow handlers", time.Second, 1},
		{"handlers of 10 ms", 10 * time.Millisecond, 1 + 5},
		{"fast handlers", time.Microsecond, 1 + 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(ctx context.Context, sp space.Space) {
				write(t, sp, taskRange(100)...)
				ctx, stop := context.WithCancel(ctx)
				done, most := 0, 0
				err := work.Run(ctx, sp, Task{}, func(_ context.Context, job *work.Job[Task]) error {
					time.Sleep(c.takes)
					synctest.Wait()
					most = max(most, 100-done-count(t, sp, Task{}))
					if done++; done == 50 {
						stop()
					}
					return nil
				}, work.Config{Workers: 1, Prefetch: 8})
				require.NoError(t, err)
				require.Equal(t, c.held, most)
			})
		})
	}
}

// unreachable is a space whose Take fails for a while.
type unreachable struct {
	space.Space
	err   error
	takes atomic.Int64 // that fail
}

func (s *unreachable) Take(ctx context.Context, q space.Query) ([]space.Entry, error) {
	if s.takes.Add(-1) >= 0 {
		return nil, s.err
	}
	return s.Space.Take(ctx, q)
}

func TestRun_WaitsForASpaceThatCannotBeReached(t *testing.T) {
	for _, failure := range []error{space.ErrUnavailable, space.ErrOutcomeUnknown} {
		bubble(t, func(ctx context.Context, local space.Space) {
			sp := &unreachable{Space: local, err: failure}
			sp.takes.Store(12)
			write(t, sp, Task{ID: 1})
			var r reports
			began := time.Now()
			require.NoError(t, work.Run(ctx, sp, Task{}, stageDone, work.Config{Report: r.add}, space.NoWait()))
			require.Equal(t, map[work.Outcome]int{work.TakeFailed: 12, work.Done: 1}, tally(r.outcomes()))
			var pauses time.Duration
			for _, report := range r.all[:12] {
				require.ErrorIs(t, report.Err, failure)
				pauses += report.Delay
			}
			require.Equal(t, pauses, time.Since(began))
			require.Equal(t, 5*time.Second, r.all[11].Delay)
		})
	}
}

// deaf does not tell of kinds at first.
type deaf struct {
	space.Space
	codecs *codec.Cache
	asked  int // how often it fails
}

func (s *deaf) Codecs() *codec.Cache { return s.codecs }

func (s *deaf) Schema(ctx context.Context, kind string) (*template.Schema, error) {
	if s.asked--; s.asked >= 0 {
		return nil, space.ErrUnavailable
	}
	return s.Space.Schema(ctx, kind)
}

func TestRun_BeginsAsSoonAsTheSpaceCanBeReached(t *testing.T) {
	bubble(t, func(ctx context.Context, local space.Space) {
		write(t, local, Task{ID: 1})
		sp := &deaf{Space: local, codecs: new(codec.Cache), asked: 3}
		var r reports
		more := space.Where("more", space.IsNull())
		require.NoError(t, work.Run(ctx, sp, Task{}, stageDone, work.Config{Report: r.add}, more, space.NoWait()))
		require.Equal(t, []work.Outcome{work.TakeFailed, work.TakeFailed, work.TakeFailed, work.Done}, r.outcomes())

		sp = &deaf{Space: local, codecs: new(codec.Cache), asked: 1000}
		ending, end := context.WithTimeout(ctx, time.Minute)
		defer end()
		require.NoError(t, work.Run(ending, sp, Task{}, stageDone, work.Config{}, more), "its context has ended")
	})
}

func TestRun_EndsWhenItCannotGoOn(t *testing.T) {
	bubble(t, func(ctx context.Context, local space.Space) {
		write(t, local, taskRange(1)...)
		sp := &unreachable{Space: local, err: space.ErrSchemaConflict}
		err := work.Run(ctx, sp, Task{}, func(ctx context.Context, job *work.Job[Task]) error {
			sp.takes.Store(1)
			time.Sleep(time.Second)
			return stageDone(ctx, job)
		}, work.Config{Workers: 1})
		require.ErrorIs(t, err, space.ErrSchemaConflict)
		require.Equal(t, 1, count(t, local, Done{}))
	})
}

func TestRun_EndsWithTheSpace(t *testing.T) {
	bubble(t, func(ctx context.Context, sp space.Space) {
		ended := make(chan error, 1)
		go func() { ended <- work.Run(ctx, sp, Task{}, stageDone, work.Config{}) }()
		synctest.Wait()
		require.NoError(t, sp.Close())
		require.ErrorIs(t, <-ended, space.ErrClosed)
	})
}

func TestRun_RefusesWhatCanNeverBeRight(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	for name, cfg := range map[string]work.Config{
		"workers": {Workers: -1}, "lease": {Lease: -1}, "longest backoff": {MaxBackoff: -1},
		"backoff the wrong way round": {MinBackoff: 2, MaxBackoff: 1},
	} {
		require.ErrorIs(t, work.Run(ctx, sp, Task{}, stageDone, cfg), space.ErrInvalidArgument, name)
	}
	err := work.Run(ctx, sp, Task{}, stageDone, work.Config{}, space.Wait(-1))
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	require.ErrorIs(t, work.Run[Task](ctx, sp, Task{}, nil, work.Config{}), space.ErrInvalidArgument)
	_, err = work.Revive(ctx, sp, work.DeadLetter{}, -1)
	require.ErrorIs(t, err, space.ErrInvalidArgument)
}

func TestOutcome_HasAName(t *testing.T) {
	t.Parallel()
	require.Equal(t, "retried", work.Retried.String())
	require.Equal(t, "take failed", work.TakeFailed.String())
	require.Equal(t, "outcome 77", work.Outcome(77).String())
}

// total is what jobs add to.
type total struct {
	Name string
	N    int
}

// Handlers that change the same entries wait for each other, and none of their jobs is given up for that.
func TestRun_HandlersThatMeetAreNoFailures(t *testing.T) {
	t.Parallel()
	ctx, sp := t.Context(), newSpace(t)
	const jobs = 500
	write(t, sp, taskRange(jobs)...)
	write(t, sp, total{Name: "a"}, total{Name: "b"})
	var stats work.Stats
	err := work.Run(ctx, sp, Task{}, func(ctx context.Context, job *work.Job[Task]) error {
		names := []string{"a", "b"}
		if job.Value.ID%2 == 0 {
			slices.Reverse(names) // so that some of them wait for each other in a circle
		}
		for _, name := range names {
			if _, err := space.Add(ctx, sp, total{Name: name}, "n", 1, space.In(job.Txn)); err != nil {
				return fmt.Errorf("count: %w", err)
			}
		}
		return nil
	}, work.Config{Workers: 64, Tries: 1, Report: stats.Add}, space.NoWait())
	require.NoError(t, err)
	require.Zero(t, count(t, sp, work.DeadLetter{}))
	require.Equal(t, jobs, stats.Count(work.Done))
	for _, name := range []string{"a", "b"} {
		sum, err := space.Take(ctx, sp, total{Name: name}, space.NoWait())
		require.NoError(t, err)
		require.Equal(t, jobs, sum.N)
	}
}

func TestJob_HasAString(t *testing.T) {
	t.Parallel()
	job := work.Job[Task]{Value: Task{ID: 7, State: "new"}, ID: 2, Attempts: 1}
	require.Equal(t, "job 2 {ID:7 State:new Priority:0} (attempt 2)", job.String())
	require.Equal(t, job.String(), (&job).String())
}
