package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// caller is one of the concurrent goroutines.
type caller struct {
	number int
	ops    int64
}

// latencies are the durations of calls. Callers share a few histograms: one for each would not fit the processor's
// caches.
type latencies [8]struct {
	mu sync.Mutex
	h  *hdrhistogram.Histogram // guarded by mu; in units of unit
}

// unit is the resolution of latencies; the scale ends at one minute.
const unit = 100 * time.Nanosecond

func newLatencies() *latencies {
	ls := new(latencies)
	for i := range ls {
		ls[i].h = hdrhistogram.New(1, int64(time.Minute/unit), 2)
	}
	return ls
}

func (ls *latencies) record(c *caller, d time.Duration) {
	l := &ls[c.number%len(ls)]
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.h.RecordValue(int64(min(d, time.Minute) / unit)) // always on the scale
}

// merged returns one histogram of all durations.
func (ls *latencies) merged() *hdrhistogram.Histogram {
	for i := range ls[1:] {
		ls[0].h.Merge(ls[i+1].h)
	}
	return ls[0].h
}

// op is one step of a caller. It returns the number of operations done, or errDone when nothing is left to do.
type op func(ctx context.Context, c *caller) (int, error)

// repeat lets callers repeat do until the time is over, one of them fails, or all are done.
func (r *run) repeat(ctx context.Context, workload string, callers int, do op) (Result, error) {
	before, err := r.status(ctx)
	if err != nil {
		return Result{}, err
	}
	timed, cancel := context.WithTimeout(ctx, r.o.Duration)
	defer cancel()
	var (
		stop  atomic.Bool
		group sync.WaitGroup
		fail  firstError
		all   = make([]*caller, callers)
		times = newLatencies()
		cpu   = ownCPU()
		start = time.Now()
	)
	defer context.AfterFunc(timed, func() { stop.Store(true) })()
	for i := range all {
		c := &caller{number: i}
		all[i] = c
		group.Go(func() {
			for !stop.Load() {
				begin := time.Now()
				n, err := do(timed, c)
				if err != nil {
					if err != errDone && timed.Err() == nil {
						fail.set(err)
						stop.Store(true)
					}
					return
				}
				times.record(c, time.Since(begin))
				c.ops += int64(n)
			}
		})
	}
	group.Wait()
	elapsed := time.Since(start)
	cpu = ownCPU() - cpu
	if err := fail.get(); err != nil {
		return Result{}, err
	}
	after, err := r.status(ctx)
	if err != nil {
		return Result{}, err
	}
	res := summary(all, times.merged(), elapsed, cpu+after.CPU-before.CPU)
	res.Workload, res.Callers, res.Conns, res.Durability, res.RSS = workload, callers, r.conns, after.Durability, after.RSS
	return res, nil
}

// summary combines the measurements of all callers.
func summary(all []*caller, times *hdrhistogram.Histogram, elapsed time.Duration, cpu float64) Result {
	var ops int64
	for _, c := range all {
		ops += c.ops
	}
	micros := func(p float64) float64 {
		return float64(times.ValueAtPercentile(p)) * float64(unit) / float64(time.Microsecond)
	}
	return Result{
		Ops: float64(ops) / elapsed.Seconds(),
		P50: micros(50), P99: micros(99), P999: micros(99.9),
		CPU: cpu * 1e6 / float64(max(ops, 1)),
	}
}

// firstError keeps the first error it is given.
type firstError struct {
	mu  sync.Mutex
	err error
}

func (f *firstError) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *firstError) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
