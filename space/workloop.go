package space

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"
)

// work is one call of Work. The goroutine that calls owns its state and decides what happens next; one more waits for jobs, one renews
// their leases, and each job that is being handled has its own.
type work struct {
	space   Space
	query   Query
	options workOptions
	handle  func(ctx context.Context, t *task) error
	letter  func(*Entry, DeadLetter) any // what is written for a job that is given up
	leases  *taskKeeper

	ending  func() bool     // whether the caller's context has ended
	jobs    context.Context // of all jobs; it has the caller's values, and no end
	taken   chan batch      // has room for the one call that is under way
	ended   chan *task      // has room for all workers
	helpers sync.WaitGroup  // goroutines that take and give back

	// Owned by run.
	queue   []*task // taken, and waiting for a worker
	running map[*task]struct{}
	asking  bool          // a call for jobs is under way
	changed bool          // a job has ended since it began
	idle    bool          // there were no jobs: not to be asked again before one of those that run has ended
	recheck bool          // there were none, but then one ended: the next call is only to make sure
	pause   time.Duration // before the next call; grows while they fail
	pace    time.Duration // of a job in a worker, on average; 0 as long as none has ended
	fatal   error
}

// batch is the outcome of a call for jobs.
type batch struct {
	entries []Entry
	err     error
}

// newWork compiles what the caller of Work has given.
func newWork[T any](ctx context.Context, sp Space, template *T, opts []Option) (*Codec, *work, error) {
	codec, c, err := begin[T](ctx, sp, optWorking, opts)
	if err != nil {
		return nil, nil, err
	}
	defer c.free()
	q, err := c.query(ctx, sp, codec, template)
	if err != nil {
		return nil, nil, err
	}
	q.Begin, q.Lease = true, c.leaseOr(txnLease)
	if q.Lease <= 0 {
		return nil, nil, invalid("jobs cannot be leased for %v", q.Lease)
	}
	w := &work{space: sp, query: q, options: defaultWorkOptions(), leases: newTaskKeeper(sp, q.Lease)}
	if c.work != nil {
		w.options = *c.work
	}
	w.taken = make(chan batch, 1)
	w.ended = make(chan *task, w.options.workers)
	w.running = make(map[*task]struct{}, w.options.workers)
	return codec, w, nil
}

// run works until ctx ends, there is nothing left to do, or it cannot go on, and then until all handlers have returned.
func (w *work) run(ctx context.Context) error {
	w.ending = func() bool { return ctx.Err() != nil }
	w.jobs = context.WithoutCancel(ctx) // that ctx ends is for run to pass on, in its own time
	stopped := ctx.Done()
	asking, stopAsking := context.WithCancel(ctx)
	defer stopAsking()
	stopKeeping := w.leases.start(w.jobs)
	defer stopKeeping()
	defer w.helpers.Wait()
	var drained <-chan time.Time
	for {
		if drained == nil {
			w.ask(asking)
		}
		if !w.asking && len(w.running) == 0 {
			return w.fatal
		}
		select {
		case b := <-w.taken:
			w.asking = false
			w.receive(asking, b)
		case t := <-w.ended:
			w.finish(t)
		case <-stopped:
		case <-drained:
			w.cancelAll()
		}
		switch {
		case drained != nil:
			w.giveBack()
		case w.ending() || w.fatal != nil:
			stopAsking()
			stopped = nil
			timer := time.NewTimer(w.options.drain)
			defer timer.Stop()
			drained = timer.C
			w.giveBack()
		default:
			w.assign()
		}
	}
}

// assign starts handlers for jobs that wait, as long as there are workers.
func (w *work) assign() {
	for len(w.queue) > 0 && len(w.running) < w.options.workers {
		t := w.queue[0]
		w.queue[0] = nil
		w.queue = w.queue[1:]
		w.running[t] = struct{}{}
		t.begin()
		go w.do(t)
	}
}

// ask calls for more jobs, if there is room for them and there is no such call already. While all workers are busy it leaves
// the room until half of what may be taken ahead is used up, so that the way to the space is gone for several jobs.
func (w *work) ask(ctx context.Context) {
	ahead := w.ahead()
	room := w.options.workers + ahead - len(w.running) - len(w.queue)
	if w.asking || w.idle || room <= 0 || len(w.queue) > ahead/2 {
		return
	}
	w.asking, w.changed = true, false
	q, pause := w.query, w.pause
	q.Max = room
	if w.recheck {
		q.Wait, q.NoWait = 0, true
	}
	w.helpers.Go(func() {
		if pause > 0 {
			_ = sleep(ctx, pause) // if it returns early the call will see why
		}
		entries, err := w.space.Take(ctx, q)
		w.taken <- batch{entries, err}
	})
}

// horizon is how far ahead jobs are taken, in the time that they take the handlers.
const horizon = 50 * time.Millisecond

// ahead returns how many jobs may wait for a worker: none until it is known how long they take.
func (w *work) ahead() int {
	if w.pace == 0 {
		return 0
	}
	return int(min(time.Duration(w.options.prefetch), time.Duration(w.options.workers)*horizon/w.pace))
}

// Pauses between calls for jobs that fail because the space cannot be reached.
const (
	leastPause = 50 * time.Millisecond
	mostPause  = 5 * time.Second
)

// receive takes in the outcome of a call for jobs that was made with ctx.
func (w *work) receive(ctx context.Context, b batch) {
	w.recheck = false
	switch {
	case b.err == nil:
		w.pause = 0
		term := w.leases.term()
		for i := range b.entries {
			w.queue = append(w.queue, newTask(w.jobs, w.space, b.entries[i], term))
		}
		w.leases.add(w.queue[len(w.queue)-len(b.entries):])
	case ctx.Err() != nil:
	case errors.Is(b.err, ErrNoMatch):
		w.pause = 0
		w.idle = !w.changed
		w.recheck = w.changed // a job that has ended meanwhile may have left new ones
	case errors.Is(b.err, ErrUnavailable), errors.Is(b.err, ErrOutcomeUnknown):
		// If it took jobs their transactions are gone with the session, or end with their leases.
		w.pause = min(max(2*w.pause, leastPause), mostPause)
		w.options.report(WorkReport{Outcome: TakeFailed, Err: b.err, Delay: w.pause})
	default:
		w.fatal = b.err
	}
}

// finish takes note of a job that has left its worker.
func (w *work) finish(t *task) {
	delete(w.running, t)
	w.changed, w.idle = true, false
	took := max(time.Since(t.began), 1)
	w.pace = cmp.Or(w.pace, took)
	w.pace += (took - w.pace) / 8
}

// cancelAll ends the contexts of all handlers.
func (w *work) cancelAll() {
	for t := range w.running {
		t.stop(errDrained)
	}
}

// giveBack aborts the transactions of the jobs that wait for a worker, all with one call. If it fails they end with their leases.
func (w *work) giveBack() {
	back := w.queue
	if w.queue = nil; len(back) == 0 {
		return
	}
	w.helpers.Go(func() {
		ctx, cancel := context.WithTimeout(w.jobs, w.query.Lease)
		defer cancel()
		ids := make([]LeaseID, len(back))
		for i, t := range back {
			ids[i] = t.lease.ID()
		}
		_ = w.space.Cancel(ctx, ids...)
		for _, t := range back {
			w.leases.drop(t)
			w.options.report(t.report(JobReturned, nil))
		}
	})
}
