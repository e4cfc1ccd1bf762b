package work

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/space"
)

// loop is one call of Run. The goroutine of its caller owns its state and decides what happens next. Others take jobs,
// handle them, and renew their leases; they live as long as it does, since what they do needs deep stacks.
type loop struct {
	space  space.Space
	query  space.Query
	cfg    Config
	handle func(ctx context.Context, t *task) error
	ending func() bool // whether the caller's context has ended
	leases *keeper

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
	query space.Query
	pause time.Duration
}

// batch is the outcome of a call for jobs.
type batch struct {
	entries []space.Entry
	err     error
}

// newLoop returns the loop for the jobs that q finds, without the handler.
func newLoop(sp space.Space, q space.Query, cfg Config) *loop {
	q.Begin, q.Lease = true, cfg.Lease
	return &loop{
		space: sp, query: q, cfg: cfg,
		leases:  newKeeper(cfg.Lease),
		calls:   make(chan jobCall, 1),
		taken:   make(chan batch, 1),
		begun:   make(chan *task, cfg.Workers),
		ended:   make(chan *task, cfg.Workers),
		running: make(map[*task]struct{}, cfg.Workers),
	}
}

// unreachable reports whether err may be gone after a while.
func unreachable(err error) bool {
	return errors.Is(err, space.ErrUnavailable) || errors.Is(err, space.ErrOutcomeUnknown)
}

// run works until ctx ends, there is nothing left to do, or it cannot go on, and then until all handlers have returned
// or the drain time is over.
func (l *loop) run(ctx context.Context) error {
	l.jobs = context.WithoutCancel(ctx)
	l.ending = func() bool { return ctx.Err() != nil }
	keeping, stopKeeping := context.WithCancel(l.jobs)
	asking, stopAsking := context.WithCancel(ctx)
	l.helpers.Go(func() { l.leases.run(keeping) })
	l.helpers.Go(func() { l.take(asking) })
	defer func() {
		close(l.calls)
		close(l.begun)
		stopKeeping()
		l.helpers.Wait()
	}()
	l.goOn(ctx.Done(), asking)
	stopAsking()
	return l.drain()
}

// goOn works until ctx ends or there is a reason to stop. asking is the context of calls for jobs, which ends with ctx.
func (l *loop) goOn(stop <-chan struct{}, asking context.Context) {
	for {
		l.assign()
		l.ask()
		if !l.asking && len(l.running) == 0 && l.back == nil {
			return // there is nothing left to do
		}
		select {
		case b := <-l.taken:
			l.receive(asking, b)
		case t := <-l.ended:
			l.finish(t)
		case <-l.back:
			l.back = nil
		case <-stop:
		}
		if l.ending() || l.fatal != nil {
			return
		}
	}
}

// assign hands jobs that wait to workers that are free.
func (l *loop) assign() {
	for len(l.queue) > 0 && len(l.running) < l.cfg.Workers {
		t := l.queue[0]
		if t.hadDeath() {
			if l.makeRoom(); l.back != nil {
				return
			}
			l.suspect++
		}
		l.queue[0] = nil
		l.queue = l.queue[1:]
		l.running[t] = struct{}{}
		if l.workers < len(l.running) {
			l.workers++
			l.startWorker()
		}
		t.begin(l.jobs)
		l.begun <- t
	}
	if l.suspect > 0 && len(l.queue) > 0 { // they were asked for before
		l.makeRoom()
	}
}

// makeRoom gives back the jobs for which no worker is free, before one begins that a worker has died with: the death of
// this one, too, would count as an attempt of them.
func (l *loop) makeRoom() {
	free := l.cfg.Workers - len(l.running)
	if l.back != nil || len(l.queue) <= free {
		return
	}
	l.back = l.giveBack(time.Now().Add(max(l.cfg.Drain, leastDrain)), l.queue[free:], nil)
	l.queue = l.queue[:free:free]
}

// ask calls for more jobs, if there is room for them and there is no such call already. While all workers are busy it
// leaves the room until half of what may be taken ahead is used up, so that the way to the space is gone for several
// jobs.
func (l *loop) ask() {
	ahead := l.ahead()
	room := l.cfg.Workers + ahead - len(l.running) - len(l.queue)
	if l.asking || l.idle || l.back != nil || room <= 0 || len(l.queue) > ahead/2 {
		return
	}
	q := l.query
	q.Max = room
	if l.recheck {
		q.Wait, q.NoWait = 0, true
	}
	l.asking, l.changed = true, false
	l.calls <- jobCall{q, l.pause}
}

// horizon is how far ahead jobs are taken, in the time that they take the handlers.
const horizon = 50 * time.Millisecond

// ahead returns how many jobs may wait for a worker: none until it is known how long they take, and none that would
// count an attempt without having begun, because a worker has died with one that runs, or as their only one.
func (l *loop) ahead() int {
	if l.pace == 0 || l.suspect > 0 || l.cfg.Tries == 1 {
		return 0
	}
	return int(min(time.Duration(l.cfg.Prefetch), time.Duration(l.cfg.Workers)*horizon/l.pace))
}

// take makes the calls for jobs, until there are no more to be made. They end with ctx.
func (l *loop) take(ctx context.Context) {
	for c := range l.calls {
		if c.pause > 0 {
			_ = backoff.Sleep(ctx, c.pause) // if it returns early the call will see why
		}
		entries, err := l.space.Take(ctx, c.query)
		l.taken <- batch{entries, err}
	}
}

// Pauses between calls for jobs that fail because the space cannot be reached.
const (
	leastPause = 50 * time.Millisecond
	mostPause  = 5 * time.Second
)

// receive takes in the outcome of a call for jobs that was made with ctx.
func (l *loop) receive(ctx context.Context, b batch) {
	l.asking, l.recheck = false, false
	switch {
	case b.err == nil:
		l.pause = 0
		l.admit(b.entries)
	case ctx.Err() != nil:
	case errors.Is(b.err, space.ErrNoMatch):
		l.pause = 0
		l.idle = !l.changed
		l.recheck = l.changed // a job that has ended meanwhile may have left new ones
	case unreachable(b.err):
		// If it took jobs their transactions are gone with the session, or end with their leases.
		l.pause = min(max(2*l.pause, leastPause), mostPause)
		l.cfg.Report(Report{Outcome: TakeFailed, Err: b.err, Delay: l.pause})
	default:
		l.fatal = b.err
	}
}

// admit has jobs that were taken just now wait for a worker.
func (l *loop) admit(entries []space.Entry) {
	for i := range entries {
		l.queue = append(l.queue, newTask(l.space, &entries[i]))
	}
	taken := l.queue[len(l.queue)-len(entries):]
	l.leases.add(taken)
	for _, t := range taken {
		t.txn.OnLoss(func(why error) {
			l.leases.drop(t)
			t.lose(why)
		})
	}
}

// finish takes note of a job that has left its worker.
func (l *loop) finish(t *task) {
	delete(l.running, t)
	if t.hadDeath() {
		l.suspect--
	}
	l.changed, l.idle = true, false
	took := max(time.Since(t.began), 1)
	l.pace = cmp.Or(l.pace, took)
	l.pace += (took - l.pace) / 8
}
