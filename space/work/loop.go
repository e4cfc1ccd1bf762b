package work

import (
	"cmp"
	"context"
	"errors"
	"slices"
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
	caller context.Context // ends when no more jobs are to be taken
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
	suspect space.LeaseID // is to run next, and alone; 0: none is
	alone   bool          // the one that runs is a suspect
	back    chan struct{} // closed when jobs that must not be in hand beside it are given back; nil: none are
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

// ending reports whether the caller's context has ended.
func (l *loop) ending() bool { return l.caller.Err() != nil }

// unreachable reports whether err may be gone after a while.
func unreachable(err error) bool {
	return errors.Is(err, space.ErrUnavailable) || errors.Is(err, space.ErrOutcomeUnknown)
}

// run works until ctx ends, there is nothing left to do, or it cannot go on, and then until all handlers have returned
// or the drain time is over.
func (l *loop) run(ctx context.Context) error {
	l.jobs = context.WithoutCancel(ctx)
	l.caller = ctx
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
	for l.back == nil && len(l.queue) > 0 && len(l.running) < l.cfg.Workers {
		t := l.queue[0]
		l.queue[0] = nil
		l.queue = l.queue[1:]
		l.running[t] = struct{}{}
		l.alone = l.isSuspect(t)
		if l.workers < len(l.running) {
			l.workers++
			l.startWorker()
		}
		t.begin(l.jobs)
		l.begun <- t
	}
}

// ask calls for more jobs, if there is room for them and there is no such call already. While all workers are busy it
// leaves the room until half of what may be taken ahead is used up, so that the way to the space is gone for several
// jobs.
func (l *loop) ask() {
	if l.asking || l.alone || l.back != nil {
		return
	}
	if l.suspect != 0 {
		l.askForSuspect()
		return
	}
	ahead := l.ahead()
	room := l.cfg.Workers + ahead - len(l.running) - len(l.queue)
	if l.idle || room <= 0 || len(l.queue) > ahead/2 {
		return
	}
	q := l.query
	q.Max = room
	if l.recheck {
		q.Wait, q.NoWait = 0, true
	}
	l.request(q)
}

// askForSuspect calls for the suspect when no handler runs.
func (l *loop) askForSuspect() {
	if len(l.running)+len(l.queue) > 0 {
		return
	}
	q := l.query
	q.ID, q.Max, q.Wait, q.NoWait = l.suspect, 1, 0, true
	l.request(q)
}

// request has a call for jobs made.
func (l *loop) request(q space.Query) {
	l.asking, l.changed = true, false
	l.calls <- jobCall{q, l.pause}
}

// horizon is how far ahead jobs are taken, in the time that they take the handlers.
const horizon = 50 * time.Millisecond

// ahead returns how many jobs may wait for a worker: none until it is known how long they take, and none that would
// count their only attempt without having begun.
func (l *loop) ahead() int {
	if l.pace == 0 || l.cfg.Tries == 1 {
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
		l.pause, l.suspect = 0, 0
		l.admit(b.entries)
		l.isolate()
	case ctx.Err() != nil:
	case errors.Is(b.err, space.ErrNoMatch):
		l.idle = !l.changed && l.suspect == 0 // others have the suspect, which says nothing of further jobs
		l.recheck = l.changed                 // a job that has ended meanwhile may have left new ones
		l.pause, l.suspect = 0, 0
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

// isSuspect reports whether a worker has died with t, which may be why. One that will not be tried again is none.
func (l *loop) isSuspect(t *task) bool {
	return t.entry.Died != nil && !l.cfg.lastTry(int(t.entry.Attempts))
}

// isolate gives back the jobs that wait behind a suspect, which must not die with it. The suspect stays if it can begin.
// Otherwise it is given back, too, so that it does not die with those that run, and is asked for when they have ended.
func (l *loop) isolate() {
	stay := slices.IndexFunc(l.queue, l.isSuspect)
	switch {
	case stay < 0:
		return
	case stay == 0 && len(l.running) == 0:
		stay = 1
	default:
		l.suspect = l.queue[stay].entry.ID
	}
	if stay == len(l.queue) {
		return
	}
	l.back = l.giveBack(time.Now().Add(max(l.cfg.Drain, leastDrain)), l.queue[stay:], nil)
	l.queue = l.queue[:stay:stay]
}

// finish takes note of a job that has left its worker.
func (l *loop) finish(t *task) {
	delete(l.running, t)
	l.alone = false
	l.changed, l.idle = true, false
	took := max(time.Since(t.began), 1)
	l.pace = cmp.Or(l.pace, took)
	l.pace += (took - l.pace) / 8
}
