package bench

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"

	"github.com/gospaces/gospaces/space"
)

// Job is the entry of all workloads.
type Job struct {
	Key     int64
	Payload []byte
}

// Kind returns the name of the kind in the space.
func (Job) Kind() string { return "bench_job" }

// workload is one thing to measure.
type workload struct {
	fits    func(callers int) bool
	measure func(r *run, ctx context.Context, callers int) ([]Result, error)
}

var workloads = map[string]workload{
	"echo":    {anyNumber, (*run).echoes},
	"write":   {anyNumber, (*run).writes},
	"take":    {anyNumber, (*run).takes},
	"jobs":    {several, (*run).jobs},
	"seq":     {alone, (*run).seq},
	"match":   {anyNumber, (*run).match},
	"txn":     {anyNumber, (*run).txn},
	"next":    {anyNumber, (*run).next},
	"txn3":    {anyNumber, (*run).txn3},
	"work":    {anyNumber, (*run).work},
	"backlog": {alone, (*run).backlog},
}

// Workloads returns the names of all workloads, in the order in which they are measured.
func Workloads() []string {
	return []string{"echo", "write", "take", "jobs", "seq", "match", "txn", "next", "txn3", "work", "backlog"}
}

func anyNumber(int) bool     { return true }
func alone(callers int) bool { return callers == 1 }
func several(n int) bool     { return n > 1 }

// errDone ends a caller that has nothing left to do.
var errDone = errors.New("done")

const (
	bulk      = 1000    // entries per bulk call
	fillers   = 8       // callers that fill and drain
	matching  = 200_000 // entries of match, at most
	matchKeys = 10_000
)

func one(res Result, err error) ([]Result, error) { return []Result{res}, err }

func (r *run) job(key int64) Job { return Job{Key: key, Payload: make([]byte, r.o.Payload)} }

// echoes makes calls that do nothing: the upper limit.
func (r *run) echoes(ctx context.Context, callers int) ([]Result, error) {
	payload := make([]byte, r.o.Payload)
	return one(r.repeat(ctx, "echo", callers, func(ctx context.Context, _ *caller) (int, error) {
		_, err := r.c.Echo(ctx, payload)
		return 1, err
	}))
}

func (r *run) writes(ctx context.Context, callers int) ([]Result, error) {
	j := r.job(1)
	return one(r.repeat(ctx, "write", callers, func(ctx context.Context, _ *caller) (int, error) {
		_, err := space.Write(ctx, r.c, j)
		return 1, err
	}))
}

// takes takes entries written before, until the time is over or none is left.
func (r *run) takes(ctx context.Context, callers int) ([]Result, error) {
	if err := r.fill(ctx, r.o.Backlog, func(int64) int64 { return 1 }); err != nil {
		return nil, err
	}
	return one(r.repeat(ctx, "take", callers, func(ctx context.Context, _ *caller) (int, error) {
		_, err := space.Take(ctx, r.c, Job{}, space.NoWait())
		return 1, doneIfNone(err)
	}))
}

func doneIfNone(err error) error {
	if errors.Is(err, space.ErrNoMatch) {
		return errDone
	}
	return err
}

// jobs lets half of the callers write and the other half take, waiting if necessary. What was taken counts.
func (r *run) jobs(ctx context.Context, callers int) ([]Result, error) {
	j := r.job(1)
	return one(r.repeat(ctx, "jobs", callers, func(ctx context.Context, c *caller) (int, error) {
		if c.number%2 == 0 {
			_, err := space.Write(ctx, r.c, j)
			return 0, err
		}
		_, err := space.Take(ctx, r.c, Job{})
		return 1, err
	}))
}

// seq lets one caller write and take in turns. What was taken counts.
func (r *run) seq(ctx context.Context, callers int) ([]Result, error) {
	j := r.job(1)
	var take bool
	return one(r.repeat(ctx, "seq", callers, func(ctx context.Context, _ *caller) (int, error) {
		take = !take
		if take {
			_, err := space.Write(ctx, r.c, j)
			return 0, err
		}
		_, err := space.Take(ctx, r.c, Job{})
		return 1, err
	}))
}

// match takes by key among many entries of many keys, and puts back what it took.
func (r *run) match(ctx context.Context, callers int) ([]Result, error) {
	n := min(matching, r.o.Backlog)
	keys := int64(min(matchKeys, n))
	if err := r.fill(ctx, n, func(i int64) int64 { return 1 + i%keys }); err != nil {
		return nil, err
	}
	back := make([]*Job, callers)
	return one(r.repeat(ctx, "match", callers, func(ctx context.Context, c *caller) (int, error) {
		if j := back[c.number]; j != nil {
			back[c.number] = nil
			_, err := space.Write(ctx, r.c, *j)
			return 1, err
		}
		j, err := space.Take(ctx, r.c, Job{Key: 1 + rand.Int64N(keys)})
		back[c.number] = &j
		return 1, err
	}))
}

// backlog fills the space and drains it, both with bulk calls of many callers.
func (r *run) backlog(ctx context.Context, _ int) ([]Result, error) {
	unlimited := *r.o
	unlimited.Duration = 1 << 62
	all := &run{o: &unlimited, c: r.c, conns: r.conns}
	fill, err := all.repeat(ctx, "backlog-fill", fillers, r.filler(r.o.Backlog, func(int64) int64 { return 1 }))
	if err != nil {
		return nil, err
	}
	drain, err := all.repeat(ctx, "backlog-drain", fillers, r.drainer)
	return []Result{fill, drain}, err
}

// fill writes n entries.
func (r *run) fill(ctx context.Context, n int, key func(i int64) int64) error {
	return r.untimed(ctx, r.filler(n, key))
}

// filler returns an op that writes n entries in bulk.
func (r *run) filler(n int, key func(i int64) int64) op {
	var next atomic.Int64
	payload := make([]byte, r.o.Payload)
	return func(ctx context.Context, _ *caller) (int, error) {
		first := next.Add(bulk) - bulk
		size := min(bulk, int64(n)-first)
		if size <= 0 {
			return 0, errDone
		}
		jobs := make([]Job, size)
		for i := range jobs {
			jobs[i] = Job{Key: key(first + int64(i)), Payload: payload}
		}
		_, err := space.WriteAll(ctx, r.c, jobs)
		return len(jobs), err
	}
}

// drainer takes entries in bulk until there are none.
func (r *run) drainer(ctx context.Context, _ *caller) (int, error) {
	jobs, err := space.TakeAll(ctx, r.c, Job{}, bulk, space.NoWait())
	return len(jobs), doneIfNone(err)
}

// drain empties the space.
func (r *run) drain(ctx context.Context) error { return r.untimed(ctx, r.drainer) }

// untimed runs do in a few callers until they are done, without measuring.
func (r *run) untimed(ctx context.Context, do op) error {
	var fail firstError
	done := make(chan struct{})
	for i := range fillers {
		go func() {
			defer func() { done <- struct{}{} }()
			for fail.get() == nil {
				if _, err := do(ctx, &caller{number: i}); err != nil {
					if err != errDone {
						fail.set(err)
					}
					return
				}
			}
		}()
	}
	for range fillers {
		<-done
	}
	return fail.get()
}
