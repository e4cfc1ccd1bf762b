package spacetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/work"
)

func workCases() cases {
	return cases{
		{"a job and its results change places", workDone},
		{"a waiting worker gets what is written later", workWaits},
		{"a worker that waits holds nothing when it ends", workEnds},
		{"what a handler that failed has done is undone", workUndone},
		{"a failed job comes back later, with an attempt more", workRetries},
		{"a job that fails too often becomes a dead letter", workBuries},
		{"dead letters can be revived", workRevives},
		{"a job keeps its lease through its attempts", workLeases},
		{"a job comes back after a delay that is longer than its lease", workLongRetry},
		{"jobs are taken in the order that is asked for", workOrder},
		{"a running job is kept", workKeeps},
		{"a job whose transaction is ended by others is back, and nothing of it happens", workLost},
		{"a job that takes its workers down becomes a dead letter", workDies},                    // semantics 5.10
		{"a handler whose job is cancelled hears of it, and its results are not", workCancelled}, // semantics 5.6
		{"jobs that wait for a handler are back at once when the work ends", workDrains},
		{"each of many jobs is done once, by workers that fail", workOnce},
		{"jobs that change one entry are done with few attempts", workContends},
	}
}

// outcome is the result of a job, of another kind than simple.
type outcome struct {
	Name string
	ID   int
}

// finish is a handler that succeeds.
func finish(ctx context.Context, job *work.Job[simple]) error {
	return job.Stage(ctx, outcome(job.Value))
}

var errJob = errors.New("this job fails")

// workOff works for simple entries as long as there are any.
func workOff(
	k *kit, handler func(ctx context.Context, job *work.Job[simple]) error, cfg work.Config, find ...space.FindOption,
) *work.Stats {
	k.Helper()
	var stats work.Stats
	cfg.Report = func(r work.Report) {
		stats.Add(r)
		if r.Outcome == work.Lost {
			assert.NotErrorIs(k, r.Err, space.ErrDeadlock)
			k.Logf("lost: %+v", r)
		}
	}
	k.ok(work.Run(k.ctx, k.sp, simple{}, handler, cfg, append(find, space.NoWait())...))
	return &stats
}

func workDone(k *kit) {
	write(k, sample())
	writeAll(k, e1, e2, e3)
	stats := workOff(k, func(ctx context.Context, job *work.Job[simple]) error {
		require.Zero(k, job.Attempts)
		// While it works no other call sees the job or its result.
		if _, err := space.Read(ctx, k.sp, job.Value, space.NoWait()); !errors.Is(err, space.ErrNoMatch) {
			return errors.New("the job is visible")
		}
		if _, err := space.Write(ctx, k.sp, outcome{"now", job.Value.ID}, space.In(job.Txn)); err != nil {
			return err
		}
		if _, err := space.Read(ctx, k.sp, outcome{"now", job.Value.ID}, space.In(job.Txn), space.NoWait()); err != nil {
			return err
		}
		return finish(ctx, job)
	}, work.Config{Workers: 1})
	require.Equal(k, 3, stats.Count(work.Done))
	absent(k, simple{})
	require.Equal(k, []outcome{{"now", 1}, {"A", 1}, {"now", 2}, {"B", 2}, {"now", 2}, {"A", 2}},
		readUpTo(k, 10, outcome{}))
	take(k, every{})
}

// startWork works for simple entries in the background.
func startWork(
	k *kit, handler func(ctx context.Context, job *work.Job[simple]) error, cfg work.Config, find ...space.FindOption,
) *pending[struct{}] {
	return start(k, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, work.Run(ctx, k.sp, simple{}, handler, cfg, find...)
	})
}

func workWaits(k *kit) {
	w := startWork(k, finish, work.Config{}, space.Wait(long))
	for i := range 20 {
		k.parked(1)
		write(k, simple{"A", i + 1})
		got, err := space.Take(k.ctx, k.sp, outcome{})
		k.ok(err)
		require.Equal(k, outcome{"A", i + 1}, got)
	}
	w.cancel()
	_, err := w.wait()
	k.ok(err)
}

func workEnds(k *kit) {
	w := startWork(k, finish, work.Config{})
	k.parked(1)
	w.cancel()
	_, err := w.wait()
	k.ok(err)
	k.parked(0)
	write(k, e1)
	require.Equal(k, e1, take(k, simple{}))
}

func workUndone(k *kit) {
	writeAll(k, e1, e2)
	write(k, outcome{"B", 2})
	stats := workOff(k, func(ctx context.Context, job *work.Job[simple]) error {
		if job.Value == e2 {
			return finish(ctx, job)
		}
		if err := finish(ctx, job); err != nil {
			return err
		}
		if _, err := space.Write(ctx, k.sp, outcome(job.Value), space.In(job.Txn)); err != nil {
			return err
		}
		if _, err := space.Take(ctx, k.sp, outcome{"B", 2}, space.In(job.Txn), space.NoWait()); err != nil {
			return err
		}
		return errJob
	}, work.Config{Workers: 1, MinBackoff: long, MaxBackoff: long})
	require.Equal(k, 1, stats.Count(work.Done))
	require.Equal(k, 1, stats.Count(work.Retried))
	require.Equal(k, []outcome{{"B", 2}, {"B", 2}}, readUpTo(k, 10, outcome{}))
	absent(k, simple{})
}

func workRetries(k *kit) {
	id := write(k, e1).ID()
	var attempts []int
	var last time.Time
	w := startWork(k, func(ctx context.Context, job *work.Job[simple]) error {
		require.Equal(k, id, job.ID)
		if job.Attempts > 0 {
			require.GreaterOrEqual(k, time.Since(last), brief)
		}
		attempts, last = append(attempts, job.Attempts), time.Now()
		if job.Attempts < 3 {
			return work.RetryAfter(brief, errJob)
		}
		return finish(ctx, job)
	}, work.Config{Workers: 1})
	_, err := space.Take(k.ctx, k.sp, outcome(e1))
	k.ok(err)
	w.cancel()
	w.result(k)
	require.Equal(k, []int{0, 1, 2, 3}, attempts)
	require.Zero(k, k.total())
}

func workBuries(k *kit) {
	writeAll(k, e1, e2)
	w := startWork(k, func(_ context.Context, job *work.Job[simple]) error {
		if job.Value == e1 {
			return work.Permanent(errJob)
		}
		panic("boom")
	}, work.Config{Workers: 1, Tries: 3, MinBackoff: -1})
	first, err := space.Take(k.ctx, k.sp, work.DeadLetter{})
	k.ok(err)
	require.Equal(k, []any{"simple", 1, errJob.Error()}, []any{first.JobKind, first.Attempts, first.Reason})
	require.JSONEq(k, `{"name": "A", "id": 1}`, first.Fields)
	second, err := space.Take(k.ctx, k.sp, work.DeadLetter{})
	k.ok(err)
	require.Equal(k, []any{"simple", 3}, []any{second.JobKind, second.Attempts})
	require.Contains(k, second.Reason, "boom")
	w.cancel()
	w.result(k)
	require.Zero(k, k.total())
}

func workRevives(k *kit) {
	write(k, sample())
	writeAll(k, e1, e2, e3)
	stats := workOff(k, func(context.Context, *work.Job[simple]) error { return work.Permanent(errJob) }, work.Config{})
	require.Equal(k, 3, stats.Count(work.Dead))
	absent(k, simple{})
	n, err := work.Revive(k.ctx, k.sp, work.DeadLetter{JobKind: "every"}, 0)
	k.ok(err)
	require.Zero(k, n)
	n, err = work.Revive(k.ctx, k.sp, work.DeadLetter{JobKind: "simple"}, 0)
	k.ok(err)
	require.Equal(k, 3, n)
	require.ElementsMatch(k, []simple{e1, e2, e3}, drain(k, simple{}))
	require.Equal(k, 1, k.total())
}

func workLeases(k *kit) {
	write(k, e1, space.For(short))
	var stats work.Stats
	k.ok(work.Run(k.ctx, k.sp, simple{}, func(context.Context, *work.Job[simple]) error {
		time.Sleep(brief) // only that takes of the lease, not the delay
		return work.RetryAfter(brief, errJob)
	}, work.Config{Tries: -1, Report: stats.Add}, space.Wait(5*short))) // it never ends unless the job does
	require.Zero(k, k.total())
	require.Zero(k, stats.Count(work.Done))
}

func workLongRetry(k *kit) {
	k.patiently(func(d time.Duration) bool {
		write(k, e1, space.For(d))
		attempts := 0
		k.ok(work.Run(k.ctx, k.sp, simple{}, func(ctx context.Context, job *work.Job[simple]) error {
			if attempts++; attempts == 1 {
				return work.RetryAfter(3*d, errJob)
			}
			return finish(ctx, job)
		}, work.Config{Workers: 1}, space.Wait(8*d)))
		return len(drain(k, outcome(e1))) == 1 // unless a slow machine has slept through its life
	})
}

func workOrder(k *kit) {
	writeAll(k, e3, e2, e1)
	var order []simple
	workOff(k, func(_ context.Context, job *work.Job[simple]) error {
		order = append(order, job.Value)
		return nil
	}, work.Config{Workers: 1}, space.OrderBy("-name", "id"), space.Where("id", space.Le(2)))
	require.Equal(k, []simple{e2, e1, e3}, order)
}

func workKeeps(k *kit) {
	k.patiently(func(d time.Duration) bool {
		write(k, e1)
		attempts := 0
		stats := workOff(k, func(ctx context.Context, job *work.Job[simple]) error {
			attempts++
			time.Sleep(3 * d) // the first lease would be over
			return finish(ctx, job)
		}, work.Config{Lease: d})
		require.Equal(k, outcome(e1), take(k, outcome{}))
		require.Equal(k, 1, stats.Count(work.Done))
		absent(k, simple{})
		return attempts == 1
	})
}

func workLost(k *kit) {
	write(k, e1)
	attempts := 0
	stats := workOff(k, func(ctx context.Context, job *work.Job[simple]) error {
		if err := finish(ctx, job); err != nil {
			return err
		}
		if attempts++; attempts == 1 {
			k.ok(k.sp.Abort(ctx, job.Txn.ID()))
			require.Equal(k, e1, read(k, e1))
		}
		return nil
	}, work.Config{Workers: 1})
	require.Equal(k, 1, stats.Count(work.Lost))
	require.Equal(k, 1, stats.Count(work.Done))
	require.Equal(k, []outcome{outcome(e1)}, drain(k, outcome{}))
	require.Zero(k, k.total())
}

func workDrains(k *kit) {
	k.needOnePartition()
	const n = 30
	for i := range n {
		write(k, simple{"A", i + 1})
	}
	busy, release := make(chan struct{}), make(chan struct{})
	w := startWork(k, func(ctx context.Context, job *work.Job[simple]) error {
		if job.Value.ID == 10 {
			close(busy)
			<-release
		}
		return finish(ctx, job)
	}, work.Config{Workers: 1, Drain: long})
	<-busy
	w.cancel()
	for count(k, simple{}) < n-10 { // those that were taken ahead
		time.Sleep(time.Millisecond) // the next look
	}
	for i := 10; i < n; i++ {
		require.Equal(k, simple{"A", i + 1}, take(k, simple{}), "in their old places")
	}
	close(release)
	w.result(k)
	require.Len(k, drain(k, outcome{}), 10)
	require.Zero(k, k.total())
}

// unsteady returns a handler that fails now and then, before or after it has written its result, and once in a while
// ends its transaction.
func unsteady(sp space.Space) func(ctx context.Context, job *work.Job[simple]) error {
	return func(ctx context.Context, job *work.Job[simple]) error {
		dice := rand.IntN(16)
		if dice == 0 {
			panic("a handler panics")
		}
		if dice == 1 {
			return errJob
		}
		if dice%2 == 0 {
			if _, err := space.Write(ctx, sp, outcome(job.Value), space.In(job.Txn)); err != nil {
				return err
			}
		} else if err := finish(ctx, job); err != nil {
			return err
		}
		switch dice {
		case 2, 3:
			return errJob
		case 4, 5:
			return sp.Abort(ctx, job.Txn.ID())
		}
		return nil
	}
}

// doneOnce waits until n jobs have their results, and fails the case unless those are the jobs' IDs from 1 to n.
func doneOnce(k *kit, n int) {
	k.Helper()
	var ids []int
	for len(ids) < n {
		results, err := space.TakeAll(k.ctx, k.sp, outcome{}, n)
		k.ok(err)
		for _, r := range results {
			ids = append(ids, r.ID)
		}
	}
	slices.Sort(ids)
	for i, id := range ids {
		require.Equal(k, i+1, id)
	}
}

func workOnce(k *kit) {
	const n = 200
	jobs := make([]simple, n)
	for i := range jobs {
		jobs[i] = simple{"A", i + 1}
	}
	writeAll(k, jobs...)
	var works []*pending[struct{}]
	for range 3 {
		works = append(works, startWork(k, unsteady(k.sp), work.Config{Workers: 4, MinBackoff: -1, Tries: -1}))
	}
	doneOnce(k, n)
	for _, w := range works {
		w.cancel()
		w.result(k)
	}
	require.Zero(k, k.total())
}

// restartWork: jobs that were in hands when the server ended are done after all, and no job twice.
func restartWork(k *kit) {
	const n = 150
	var works []*pending[struct{}]
	for range 2 {
		works = append(works, startWork(k, unsteady(k.sp), work.Config{Workers: 4, MinBackoff: -1, Tries: -1, Lease: short}))
	}
	for round := range 3 {
		jobs := make([]simple, n/3)
		for i := range jobs {
			jobs[i] = simple{"A", round*n/3 + i + 1}
		}
		writeAll(k, jobs...)
		k.restart()
	}
	for count(k, outcome{}) < n {
		time.Sleep(time.Millisecond) // the next look
	}
	for _, w := range works {
		w.cancel()
		w.result(k)
	}
	doneOnce(k, n)
	require.Zero(k, k.total())
}

func clientsWork(a, b, c *kit) {
	const n = 200
	jobs := make([]simple, n)
	for i := range jobs {
		jobs[i] = simple{"A", i + 1}
	}
	writeAll(a, jobs...)
	for _, k := range []*kit{a, b, c} {
		startWork(k, unsteady(k.sp), work.Config{Workers: 3, MinBackoff: -1, Tries: -1})
	}
	doneOnce(b, n)
	absent(c, simple{})
}

// workContends: handlers that read one entry, and change it then, end in deadlocks if they run beside each other.
func workContends(k *kit) {
	k.needOnePartition() // over several, deadlocks are not noticed, and the end of a transaction counts no attempt
	const n = 200
	jobs := make([]simple, n)
	for i := range jobs {
		jobs[i] = simple{"A", i + 1}
	}
	writeAll(k, jobs...)
	write(k, outcome{Name: "sum"})
	var calls atomic.Int32
	stats := workOff(k, func(ctx context.Context, job *work.Job[simple]) error {
		calls.Add(1)
		e, err := space.ReadEntry(ctx, k.sp, outcome{Name: "sum"}, space.In(job.Txn))
		if err != nil {
			return err
		}
		e.Value.ID++
		_, err = space.Replace(ctx, k.sp, e.ID, e.Version, e.Value, space.In(job.Txn))
		return err
	}, work.Config{Workers: 32, Tries: 1})
	require.Equal(k, n, stats.Count(work.Done))
	require.Equal(k, n, take(k, outcome{}).ID)
	require.Less(k, int(calls.Load()), 5*n)
	lost := stats.Count(work.Lost) // a cluster on a busy machine may have changed its primary
	require.Equal(k, int(calls.Load()), n+stats.Count(work.Returned)+lost, "no attempt counts")
}

func workDies(k *kit) {
	l := write(k, e1)
	for n := range uint32(2) {
		v, t := takeTxn(k, e1) // by a worker that dies
		require.Equal(k, e1, v)
		lapse(k, t)
		require.Equal(k, n+1, k.stored(l.ID()).Attempts)
		require.NotNil(k, k.stored(l.ID()).Died)
	}
	var reports []work.Report
	err := work.Run(k.ctx, k.sp, simple{}, func(context.Context, *work.Job[simple]) error {
		return errors.New("it was handed out again")
	}, work.Config{Tries: 2, Workers: 1, Report: func(r work.Report) { reports = append(reports, r) }}, space.NoWait())
	k.ok(err)
	require.Len(k, reports, 1)
	require.Equal(k, work.Dead, reports[0].Outcome)
	var died *work.WorkerDiedError
	require.ErrorAs(k, reports[0].Err, &died)
	letter := take(k, work.DeadLetter{})
	require.Equal(k, l.ID(), letter.Job)
	require.Equal(k, 2, letter.Attempts)
	require.Equal(k, died.Error(), letter.Reason)
	require.Contains(k, letter.Reason, "worker died")
	require.Zero(k, k.total())
}

func workCancelled(k *kit) {
	l := write(k, e1)
	stats := workOff(k, func(ctx context.Context, job *work.Job[simple]) error {
		k.ok(job.Stage(ctx, outcome(job.Value)))
		k.ok(l.Cancel(k.ctx))
		<-ctx.Done()
		k.fails(space.ErrTxnEnded, context.Cause(ctx))
		require.ErrorContains(k, context.Cause(ctx), "cancelled")
		return nil
	}, work.Config{Lease: time.Hour})
	require.Equal(k, 1, stats.Count(work.Lost))
	require.Zero(k, k.total())
}
