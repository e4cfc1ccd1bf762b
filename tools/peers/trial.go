package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// lastLimit bounds the time from the last put to the last take.
const lastLimit = time.Minute

// trial is one measurement: jobs are put until it is sealed, and taken until none is left. Its methods may be called
// concurrently.
type trial struct {
	ids        atomic.Int64 // of jobs, so far
	put, taken tally
	then       func()        // called after each job that is done; may be nil
	goal       atomic.Int64  // number of all jobs; 0 until the trial is sealed
	all        chan struct{} // closed when as many jobs were taken as were put
	closing    sync.Once
}

func newTrial() *trial { return &trial{all: make(chan struct{})} }

// putOne puts a job with a new id.
func (t *trial) putOne(ctx context.Context, q queue) error {
	j := job{id: t.ids.Add(1)}
	if err := q.put(ctx, j); err != nil {
		return err
	}
	t.put.add(j)
	return nil
}

// fill puts n jobs by bulk calls.
func (t *trial) fill(ctx context.Context, n int64, put func(ctx context.Context, jobs ...job) error) error {
	return each(ctx, callers, func(ctx context.Context) error {
		for {
			last := t.ids.Add(bulk)
			if last > n {
				return nil
			}
			jobs := make([]job, bulk)
			for i := range jobs {
				id := last - int64(i)
				jobs[i] = job{id: id, key: 1 + id%keys}
			}
			if err := put(ctx, jobs...); err != nil {
				return err
			}
			t.put.add(jobs...)
		}
	})
}

// run lets workers work while put puts jobs, until all are taken. It returns how long that took, and an error if a job
// was lost or doubled.
func (t *trial) run(
	ctx context.Context, w way, workers, batch int, put func(ctx context.Context) error,
) (took time.Duration, err error) {
	working, stop := context.WithCancel(ctx)
	defer stop()
	start := time.Now()
	err = together(working, func(ctx context.Context) error {
		return w.work(ctx, workers, batch, t.done)
	}, func(ctx context.Context) error {
		if err := put(ctx); err != nil {
			return err
		}
		t.seal()
		select {
		case <-t.all:
			took = time.Since(start)
			stop()
		case <-ctx.Done():
		case <-time.After(lastLimit):
			return fmt.Errorf("the last job is not there after %v", lastLimit)
		}
		return nil
	})
	return took, errors.Join(err, ctx.Err(), t.check())
}

// done counts a job that a worker is done with.
func (t *trial) done(j job) {
	t.reached(t.taken.add(j))
	if t.then != nil {
		t.then()
	}
}

// seal says that all jobs were put.
func (t *trial) seal() {
	t.goal.Store(t.put.jobs.Load())
	t.reached(t.taken.jobs.Load())
}

func (t *trial) reached(taken int64) {
	if goal := t.goal.Load(); goal > 0 && taken >= goal {
		t.closing.Do(func() { close(t.all) })
	}
}

// drainKeyed takes all jobs by their keys.
func (t *trial) drainKeyed(ctx context.Context, k keyed) error {
	var next atomic.Int64
	return each(ctx, 8*callers, func(ctx context.Context) error {
		for key := next.Add(1); key <= keys; {
			j, ok, err := k.takeKeyed(ctx, key)
			if err != nil {
				return err
			}
			if ok {
				t.taken.add(j)
			} else {
				key = next.Add(1)
			}
		}
		return nil
	})
}

// check returns an error unless each job was put once and taken once, as far as their count and sum tell.
func (t *trial) check() error {
	put, taken := t.put.jobs.Load(), t.taken.jobs.Load()
	switch {
	case put == 0:
		return errors.New("no job was put")
	case put != taken:
		return fmt.Errorf("%d jobs were put and %d taken", put, taken)
	case t.put.sum.Load() != t.taken.sum.Load():
		return fmt.Errorf("%d jobs were put and as many taken, but not the same: some are lost, others doubled", put)
	}
	return nil
}

// rate returns the jobs put in the trial per second of took.
func (t *trial) rate(took time.Duration) float64 { return float64(t.put.jobs.Load()) / took.Seconds() }
