package bench

import (
	"context"
	"errors"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/work"
)

// cycling is the minimum number of jobs in the workloads with transactions. Each cycle takes one and writes another as
// its result, so jobs never run out.
const cycling = 20_000

func (r *run) fillCycle(ctx context.Context, callers int) error {
	return r.fill(ctx, max(cycling, 4*callers), func(int64) int64 { return 1 })
}

// txn measures the cycle of a worker in two round trips: take a job under its own transaction; write the result and
// commit. The end of the measurement does not interrupt a cycle, which would leave its job locked.
func (r *run) txn(ctx context.Context, callers int) ([]Result, error) {
	if err := r.fillCycle(ctx, callers); err != nil {
		return nil, err
	}
	result := r.job(1)
	return one(r.repeat(ctx, "txn", callers, func(timed context.Context, _ *caller) (int, error) {
		_, t, err := space.TakeTxn(timed, r.c, Job{})
		if err != nil {
			return 0, err
		}
		return 1, finish(ctx, t, result)
	}))
}

// next measures the same cycle in one round trip: write the result, commit, and take the next job. The first take of a
// caller ends no job, and counts as none.
func (r *run) next(ctx context.Context, callers int) ([]Result, error) {
	if err := r.fillCycle(ctx, callers); err != nil {
		return nil, err
	}
	result, held := r.job(1), make([]*space.Txn, callers)
	res, err := r.repeat(ctx, "next", callers, func(_ context.Context, c *caller) (jobs int, err error) {
		if held[c.number] == nil {
			_, held[c.number], err = space.TakeTxn(ctx, r.c, Job{})
			return 0, err
		}
		if err := space.Stage(ctx, held[c.number], result); err != nil {
			return 0, err
		}
		_, held[c.number], err = space.TakeNext(ctx, held[c.number], Job{})
		return 1, err
	})
	for _, t := range held {
		if t != nil {
			err = errors.Join(err, t.Abort(ctx))
		}
	}
	return one(res, err)
}

// txn3 measures the same cycle in three round trips, with a separate call to begin the transaction.
func (r *run) txn3(ctx context.Context, callers int) ([]Result, error) {
	if err := r.fillCycle(ctx, callers); err != nil {
		return nil, err
	}
	result := r.job(1)
	return one(r.repeat(ctx, "txn3", callers, func(context.Context, *caller) (int, error) {
		t, err := space.Begin(ctx, r.c)
		if err != nil {
			return 0, err
		}
		if _, err := space.Take(ctx, r.c, Job{}, space.In(t)); err != nil {
			return 0, err
		}
		return 1, finish(ctx, t, result)
	}))
}

// finish commits a transaction with the result of its job.
func finish(ctx context.Context, t *space.Txn, result Job) error {
	if err := space.Stage(ctx, t, result); err != nil {
		return err
	}
	return t.Commit(ctx)
}

// work measures work.Run with as many workers as callers. The callers only count finished jobs.
func (r *run) work(ctx context.Context, callers int) ([]Result, error) {
	if err := r.fillCycle(ctx, callers); err != nil {
		return nil, err
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan struct{}, callers)
	ended := make(chan error, 1)
	go func() {
		result := r.job(1)
		ended <- work.Run(working, r.c, Job{}, func(ctx context.Context, job *work.Job[Job]) error {
			return job.Stage(ctx, result)
		}, work.Config{Workers: callers, Prefetch: callers, Report: func(report work.Report) {
			select {
			case done <- struct{}{}:
			case <-working.Done():
			}
		}})
	}()
	res, err := r.repeat(ctx, "work", callers, func(ctx context.Context, _ *caller) (int, error) {
		select {
		case <-done:
			return 1, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	})
	stop()
	if workErr := <-ended; err == nil {
		err = workErr
	}
	return one(res, err)
}
