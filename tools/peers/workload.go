package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"
)

// workload is a thing to measure. Its measurement returns jobs per second, from the first put to the last take, or an
// error if a job was lost or doubled.
type workload struct {
	name    string
	fits    func(q queue, w way) bool
	measure func(ctx context.Context, q queue, w way, d time.Duration) (rate float64, err error)
}

const (
	bulk    = 1000    // jobs of a bulk call
	backlog = 200_000 // jobs to fill with and to drain
	keys    = 2000    // of match
	perKey  = 10      // jobs
	callers = 8       // that fill and drain
)

func (w workload) String() string { return w.name }

// workloads returns all workloads in the order in which they are measured.
func workloads() []workload {
	return []workload{
		{"seq", always, seq},
		{"1+1", always, flow(1)},
		{"8+8", always, flow(8)},
		{"64+64", always, flow(64)},
		{"256+256", always, flow(256)},
		{"match8", byKey, match(8)},
		{"match64", byKey, match(64)},
		{"fill", firstInBulk, fill},
		{"drain", inBulk, drain},
	}
}

func always(queue, way) bool     { return true }
func inBulk(_ queue, w way) bool { return w.bulk }

// firstInBulk holds once for each peer that can: how jobs are taken does not matter for putting them.
func firstInBulk(q queue, w way) bool {
	first := slices.IndexFunc(q.ways(), func(w way) bool { return w.bulk })
	return first >= 0 && q.ways()[first].name == w.name
}

// byKey holds once for each peer that can: taking by key is at most once, whatever else a peer can do.
func byKey(q queue, w way) bool {
	_, ok := q.(keyed)
	return ok && w.name == q.ways()[0].name
}

// seq puts a job and takes it, in turns.
func seq(ctx context.Context, q queue, w way, d time.Duration) (float64, error) {
	var (
		t     = newTrial()
		over  = after(d)
		ended = make(chan error, 1)
	)
	next := func() {
		if over() {
			ended <- nil
		} else if err := t.putOne(ctx, q); err != nil {
			ended <- err
		}
	}
	t.then = next
	took, err := t.run(ctx, w, 1, 1, func(ctx context.Context) error {
		next()
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return nil
		}
	})
	return t.rate(took), err
}

// flow lets n callers put and n workers take at the same time.
func flow(n int) func(ctx context.Context, q queue, w way, d time.Duration) (float64, error) {
	return func(ctx context.Context, q queue, w way, d time.Duration) (float64, error) {
		t, over := newTrial(), after(d)
		took, err := t.run(ctx, w, n, 1, func(ctx context.Context) error {
			return each(ctx, n, func(ctx context.Context) error {
				for !over() && ctx.Err() == nil {
					if err := t.putOne(ctx, q); err != nil {
						return err
					}
				}
				return nil
			})
		})
		return t.rate(took), err
	}
}

// match lets callers take by a random key, and put back what they took. Its rate is that of both together.
func match(n int) func(ctx context.Context, q queue, _ way, d time.Duration) (float64, error) {
	return func(ctx context.Context, q queue, _ way, d time.Duration) (float64, error) {
		t, k := newTrial(), q.(keyed)
		if err := t.fill(ctx, keys*perKey, k.putKeyed); err != nil {
			return 0, err
		}
		var trips atomic.Int64
		over, start := after(d), time.Now()
		err := each(ctx, n, func(ctx context.Context) error {
			for !over() && ctx.Err() == nil {
				j, ok, err := k.takeKeyed(ctx, 1+rand.Int64N(keys))
				if err == nil && ok {
					err = k.putKeyed(ctx, j)
					trips.Add(1)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		rate := float64(trips.Load()) / time.Since(start).Seconds()
		if err != nil {
			return 0, err
		}
		if err := t.drainKeyed(ctx, k); err != nil {
			return 0, err
		}
		return rate, t.check()
	}
}

func fill(ctx context.Context, q queue, w way, _ time.Duration) (float64, error) {
	t, start := newTrial(), time.Now()
	if err := t.fill(ctx, backlog, q.put); err != nil {
		return 0, err
	}
	rate := t.rate(time.Since(start))
	_, err := t.run(ctx, w, callers, bulk, nothing)
	return rate, err
}

func drain(ctx context.Context, q queue, w way, _ time.Duration) (float64, error) {
	t := newTrial()
	if err := t.fill(ctx, backlog, q.put); err != nil {
		return 0, err
	}
	took, err := t.run(ctx, w, callers, bulk, nothing)
	return t.rate(took), err
}

func nothing(context.Context) error { return nil }

// after returns a function that reports whether d has passed.
func after(d time.Duration) func() bool {
	var over atomic.Bool
	time.AfterFunc(d, func() { over.Store(true) })
	return over.Load
}
