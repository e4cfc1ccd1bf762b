package space

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"sync"
	"time"
)

// work is one call of Work. The goroutine that calls owns its state and decides what happens next. Others take jobs, handle them, and
// renew their leases; they live as long as it does, since what they do needs deep stacks.
type work struct {
	space   Space
	query   Query
	options workOptions
	handle  func(ctx context.Context, t *task) error
	letter  func(*Entry, DeadLetter) any // what is written for a job that is given up
	ending  func() bool                  // whether the caller's context has ended
	leases  *taskKeeper

	calls   chan jobCall // for more jobs; has room for one
	taken   chan batch   // has room for the outcome of one
	begun   chan *task   // for the workers; has room for all of them
	ended   chan *task   // likewise
	helpers sync.WaitGroup

	// Owned by run.
	jobs    context.Context // of all jobs: it has the values of the caller's, but not its end
	queue   []*task         // taken, and waiting for a worker
	running map[*task]struct{}
	suspect int           // how many of them a worker has died with
	back    chan struct{} // closed when jobs are given back before one of those begins; nil: none are
	workers int           // that were started
	asking  bool          // a call for jobs is under way
	changed bool          // a job has ended since it began
	idle    bool          // there were no jobs: not to be asked again before one of those that run has ended
	recheck bool          // there were none, but then one ended: the next call is only to make sure
	pause   time.Duration // before the next call; grows while they fail
	pace    time.Duration // of a job in a worker, on average; 0 as long as none has ended
	fatal   error         // why it cannot go on
}

// jobCall is a call for jobs, to be made after a pause.
type jobCall struct {
	query Query
	pause time.Duration
}

// batch is the outcome of a call for jobs.
type batch struct {
	entries []Entry
	err     error
}

// newWork compiles what the caller of Work has given.
func newWork[T any](ctx context.Context, sp Space, template *T, opts []Option) (*Codec, *work, error) {
	c, err := newCall(sp, optWorking, opts)
	if err != nil {
		return nil, nil, err
	}
	defer c.free()
	o := defaultWorkOptions()
	if c.work != nil {
		o = *c.work
	}
	var codec *Codec
	var q Query
	err = o.reach(ctx, func() error {
		if codec, err = sp.Codecs().of(reflect.TypeFor[T]()); err == nil {
			codec = c.codec(codec)
			q, err = c.query(ctx, sp, codec, template)
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	q.Begin, q.Lease = true, c.leaseOr(txnLease)
	if q.Lease <= 0 {
		return nil, nil, invalid("jobs cannot be leased for %v", q.Lease)
	}
	return codec, &work{
		space: sp, query: q, options: o,
		leases:  newTaskKeeper(q.Lease),
		calls:   make(chan jobCall, 1),
		taken:   make(chan batch, 1),
		begun:   make(chan *task, o.workers),
		ended:   make(chan *task, o.workers),
		running: make(map[*task]struct{}, o.workers),
	}, nil
}

// reach calls ask, which asks the space for what Work needs to begin, until the space can be reached.
func (o *workOptions) reach(ctx context.Context, ask func() error) error {
	for pause := leastPause; ; pause = min(2*pause, mostPause) {
		err := ask()
		if !unreachable(err) {
			return err
		}
		o.report(WorkReport{Outcome: TakeFailed, Err: err, Delay: pause})
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// unreachable reports whether err may be gone after a while.
func unreachable(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrOutcomeUnknown)
}

// run works until ctx ends, there is nothing left to do, or it cannot go on, and then until all handlers have returned or the drain time is over.
func (w *work) run(ctx context.Context) error {
	w.jobs = context.WithoutCancel(ctx)
	w.ending = func() bool { return ctx.Err() != nil }
	keeping, stopKeeping := context.WithCancel(w.jobs)
	asking, stopAsking := context.WithCancel(ctx)
	w.helpers.Go(func() { w.leases.run(keeping) })
	w.helpers.Go(func() { w.take(asking) })
	defer func() {
		close(w.calls)
		close(w.begun)
		stopKeeping()
		w.helpers.Wait()
	}()
	w.goOn(ctx.Done(), asking)
	stopAsking()
	return w.drain()
}

// goOn works until ctx ends or there is a reason to stop. asking is the context of calls for jobs, which ends with ctx.
func (w *work) goOn(stop <-chan struct{}, asking context.Context) {
	for {
		w.assign()
		w.ask()
		if !w.asking && len(w.running) == 0 && w.back == nil {
			return // there is nothing left to do
		}
		select {
		case b := <-w.taken:
			w.receive(asking, b)
		case t := <-w.ended:
			w.finish(t)
		case <-w.back:
			w.back = nil
		case <-stop:
		}
		if w.ending() || w.fatal != nil {
			return
		}
	}
}

// assign hands jobs that wait to workers that are free.
func (w *work) assign() {
	for len(w.queue) > 0 && len(w.running) < w.options.workers {
		t := w.queue[0]
		if t.hadDeath() {
			if w.makeRoom(); w.back != nil {
				return
			}
			w.suspect++
		}
		w.queue[0] = nil
		w.queue = w.queue[1:]
		w.running[t] = struct{}{}
		if w.workers < len(w.running) {
			w.workers++
			w.startWorker()
		}
		t.begin(w.jobs)
		w.begun <- t
	}
	if w.suspect > 0 && len(w.queue) > 0 { // they were asked for before
		w.makeRoom()
	}
}

// makeRoom gives back the jobs for which no worker is free, before one begins that a worker has died with: the death of
// this one, too, would count as an attempt of them.
func (w *work) makeRoom() {
	free := w.options.workers - len(w.running)
	if w.back != nil || len(w.queue) <= free {
		return
	}
	w.back = w.giveBack(time.Now().Add(max(w.options.drain, leastDrain)), w.queue[free:], nil)
	w.queue = w.queue[:free:free]
}

// ask calls for more jobs, if there is room for them and there is no such call already. While all workers are busy it leaves
// the room until half of what may be taken ahead is used up, so that the way to the space is gone for several jobs.
func (w *work) ask() {
	ahead := w.ahead()
	room := w.options.workers + ahead - len(w.running) - len(w.queue)
	if w.asking || w.idle || w.back != nil || room <= 0 || len(w.queue) > ahead/2 {
		return
	}
	q := w.query
	q.Max = room
	if w.recheck {
		q.Wait, q.NoWait = 0, true
	}
	w.asking, w.changed = true, false
	w.calls <- jobCall{q, w.pause}
}

// horizon is how far ahead jobs are taken, in the time that they take the handlers.
const horizon = 50 * time.Millisecond

// ahead returns how many jobs may wait for a worker: none until it is known how long they take, and none that would
// count an attempt without having begun, because a worker has died with one that runs, or as their only one.
func (w *work) ahead() int {
	if w.pace == 0 || w.suspect > 0 || w.options.tries == 1 {
		return 0
	}
	return int(min(time.Duration(w.options.prefetch), time.Duration(w.options.workers)*horizon/w.pace))
}

// take makes the calls for jobs, until there are no more to be made. They end with ctx.
func (w *work) take(ctx context.Context) {
	for c := range w.calls {
		if c.pause > 0 {
			_ = sleep(ctx, c.pause) // if it returns early the call will see why
		}
		entries, err := w.space.Take(ctx, c.query)
		w.taken <- batch{entries, err}
	}
}

// Pauses between calls for jobs that fail because the space cannot be reached.
const (
	leastPause = 50 * time.Millisecond
	mostPause  = 5 * time.Second
)

// receive takes in the outcome of a call for jobs that was made with ctx.
func (w *work) receive(ctx context.Context, b batch) {
	w.asking, w.recheck = false, false
	switch {
	case b.err == nil:
		w.pause = 0
		w.admit(b.entries)
	case ctx.Err() != nil:
	case errors.Is(b.err, ErrNoMatch):
		w.pause = 0
		w.idle = !w.changed
		w.recheck = w.changed // a job that has ended meanwhile may have left new ones
	case unreachable(b.err):
		// If it took jobs their transactions are gone with the session, or end with their leases.
		w.pause = min(max(2*w.pause, leastPause), mostPause)
		w.options.report(WorkReport{Outcome: TakeFailed, Err: b.err, Delay: w.pause})
	default:
		w.fatal = b.err
	}
}

// admit has jobs that were taken just now wait for a worker.
func (w *work) admit(entries []Entry) {
	for i := range entries {
		w.queue = append(w.queue, newTask(w.space, &entries[i]))
	}
	taken := w.queue[len(w.queue)-len(entries):]
	w.leases.add(taken)
	for _, t := range taken {
		t.txn.OnLoss(func(why error) {
			w.leases.drop(t)
			t.lose(why)
		})
	}
}

// finish takes note of a job that has left its worker.
func (w *work) finish(t *task) {
	delete(w.running, t)
	if t.hadDeath() {
		w.suspect--
	}
	w.changed, w.idle = true, false
	took := max(time.Since(t.began), 1)
	w.pace = cmp.Or(w.pace, took)
	w.pace += (took - w.pace) / 8
}
