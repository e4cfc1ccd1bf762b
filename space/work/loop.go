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

// loop is one call of Run: the jobs that it has taken, and the workers that do them. A worker that is free takes the
// next job from the queue itself. Whenever a job comes or goes, advance decides what is next: to ask for more jobs, to
// wake a worker, or to end. Other goroutines take jobs and renew their leases; they all live as long as the loop does,
// since what they do needs deep stacks.
type loop struct {
	space  space.Space
	query  space.Query
	cfg    Config
	handle func(ctx context.Context, t *task) error
	caller context.Context // ends when no more jobs are to be taken
	jobs   context.Context // of all jobs: it has the values of the caller's, but not its end
	leases *keeper

	calls   chan jobCall  // for more jobs; has room for one
	turn    chan struct{} // one slot: run has to look again
	helpers sync.WaitGroup

	mu      sync.Mutex
	begun   sync.Cond     // on mu: there is a job for a worker, or there will be none
	queue   []*task       // guarded by mu; taken, and waiting for a worker
	running []*task       // guarded by mu; in no order
	suspect space.LeaseID // guarded by mu; is to run next, and alone; 0: none is
	alone   bool          // guarded by mu; a suspect runs, or is to run at once
	back    bool          // guarded by mu; jobs that must not be in hand beside it are being given back
	workers int           // guarded by mu; that live
	waiting int           // guarded by mu; of these, those without a job that were not woken
	asking  bool          // guarded by mu; a call for jobs is under way
	changed bool          // guarded by mu; a job has ended since it began
	// guarded by mu; there were no jobs: not to be asked again before one of those that run has ended
	idle     bool
	recheck  bool          // guarded by mu; there were none, but then one ended: the next call is only to make sure
	pause    time.Duration // guarded by mu; before the next call; grows while they fail
	pace     time.Duration // guarded by mu; of a job in a worker, on average; 0 as long as none has ended
	fatal    error         // guarded by mu; why it cannot go on
	draining bool          // guarded by mu; no more jobs begin
}

// jobCall is a call for jobs, to be made after a pause.
type jobCall struct {
	query space.Query
	pause time.Duration
}

// newLoop returns the loop for the jobs that q finds, without the handler. ctx is that of Run.
func newLoop(ctx context.Context, sp space.Space, q space.Query, cfg Config) *loop {
	q.Begin, q.Lease = true, cfg.Lease
	l := &loop{
		space: sp, query: q, cfg: cfg, caller: ctx, jobs: context.WithoutCancel(ctx),
		calls: make(chan jobCall, 1),
		turn:  make(chan struct{}, 1),
	}
	l.begun.L = &l.mu
	l.leases = newKeeper(cfg.Lease, l.inHand)
	return l
}

// ending reports whether the caller's context has ended.
func (l *loop) ending() bool { return l.caller.Err() != nil }

// unreachable reports whether err may be gone after a while.
func unreachable(err error) bool {
	return errors.Is(err, space.ErrUnavailable) || errors.Is(err, space.ErrOutcomeUnknown)
}

// run works until the caller's context ends, there is nothing left to do, or it cannot go on, and then until all
// handlers have returned or the drain time is over.
func (l *loop) run() error {
	keeping, stopKeeping := context.WithCancel(l.jobs)
	asking, stopAsking := context.WithCancel(l.caller)
	l.helpers.Go(func() { l.leases.run(keeping) })
	l.helpers.Go(func() { l.take(asking) })
	defer func() {
		close(l.calls)
		stopKeeping()
		l.helpers.Wait()
	}()
	for l.goesOn() {
		select {
		case <-l.turn:
		case <-l.caller.Done():
		}
	}
	stopAsking()
	return l.drain()
}

// goesOn reports whether jobs are to be done, and does what is next.
func (l *loop) goesOn() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance()
	return !l.ending() && l.fatal == nil && !l.rests()
}

// rests reports whether nothing is under way, so that nothing will happen any more.
func (l *loop) rests() bool { return !l.asking && len(l.running)+len(l.queue) == 0 && !l.back }

// look makes run look again.
func (l *loop) look() {
	select {
	case l.turn <- struct{}{}:
	default:
	}
}

// advance does what is next: it asks for jobs if there is room for more, has workers take those that wait, and makes
// run look if it is to end. The caller holds the lock.
func (l *loop) advance() {
	if !l.draining && l.fatal == nil && !l.ending() {
		l.ask()
		l.rouse()
	}
	if l.draining || l.fatal != nil || l.rests() {
		l.look()
	}
}

// startable returns how many jobs may begin.
func (l *loop) startable() int {
	if l.back || l.draining || l.fatal != nil || l.ending() {
		return 0
	}
	return min(len(l.queue), l.cfg.Workers-len(l.running))
}

// rouse wakes or starts as many workers as there are jobs that may begin, beyond those workers that are on their way.
func (l *loop) rouse() {
	onTheirWay := l.workers - l.waiting - len(l.running)
	for n := l.startable() - onTheirWay; n > 0; n-- {
		switch {
		case l.waiting > 0:
			l.waiting--
			l.begun.Signal()
		case l.workers < l.cfg.Workers:
			l.workers++
			l.startWorker()
		}
	}
}

// next takes note that a worker has done t, unless that is nil, and returns the job that it is to do next. It blocks
// until there is one, and returns nil when there will be none.
func (l *loop) next(done *task) *task {
	l.mu.Lock()
	defer l.mu.Unlock()
	if done != nil {
		l.finish(done)
	}
	for {
		if l.startable() > 0 {
			t := l.start()
			l.advance()
			return t
		}
		l.advance()
		if l.draining {
			return nil
		}
		l.waiting++
		l.begun.Wait()
	}
}

// start makes the first job of the queue one that runs.
func (l *loop) start() *task {
	t := l.queue[0]
	l.queue[0] = nil
	l.queue = l.queue[1:]
	t.place = len(l.running)
	l.running = append(l.running, t)
	t.begin(l.jobs)
	return t
}

// remove makes t no longer one that runs.
func (l *loop) remove(t *task) {
	end := len(l.running) - 1
	last := l.running[end]
	l.running[t.place], last.place = last, t.place
	l.running[end] = nil
	l.running = l.running[:end]
}

// finish takes note of a job that a worker has done.
func (l *loop) finish(t *task) {
	l.remove(t)
	l.alone = false
	l.changed, l.idle = true, false
	took := max(time.Since(t.began), 1)
	l.pace = cmp.Or(l.pace, took)
	l.pace += (took - l.pace) / 8
}

// inHand returns the jobs whose leases are to be kept alive.
func (l *loop) inHand() []*task {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Concat(l.running, l.queue)
}

// ask calls for more jobs, if there is room for them and there is no such call already. While all workers are busy it
// leaves the room until half of what may be taken ahead is used up, so that the way to the space is gone for several
// jobs.
func (l *loop) ask() {
	if l.asking || l.alone || l.back {
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
		if pause := l.receive(ctx, entries, err); pause > 0 {
			l.cfg.Report(Report{Outcome: TakeFailed, Err: err, Delay: pause})
		}
	}
}

// Pauses between calls for jobs that fail because the space cannot be reached.
const (
	leastPause = 50 * time.Millisecond
	mostPause  = 5 * time.Second
)

// receive takes in the outcome of a call for jobs that was made with ctx. It returns the pause before the next one, if
// this one has failed.
func (l *loop) receive(ctx context.Context, entries []space.Entry, err error) (pause time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asking, l.recheck = false, false
	switch {
	case err == nil:
		l.pause, l.suspect = 0, 0
		l.admit(entries)
		l.isolate()
	case ctx.Err() != nil:
	case errors.Is(err, space.ErrNoMatch):
		l.idle = !l.changed && l.suspect == 0 // others have the suspect, which says nothing of further jobs
		l.recheck = l.changed                 // a job that has ended meanwhile may have left new ones
		l.pause, l.suspect = 0, 0
	case unreachable(err):
		// If it took jobs their transactions are gone with the session, or end with their leases.
		l.pause = min(max(2*l.pause, leastPause), mostPause)
		pause = l.pause
	default:
		l.fatal = err
	}
	l.advance()
	return pause
}

// admit has jobs that were taken just now wait for a worker.
func (l *loop) admit(entries []space.Entry) {
	for i := range entries {
		t := newTask(l.space, &entries[i])
		l.queue = append(l.queue, t)
		t.txn.OnLoss(t.lose)
	}
	l.leases.look()
}

// isSuspect reports whether a worker has died with t, which may be why. One that will not be tried again is none.
func (l *loop) isSuspect(t *task) bool {
	return t.entry.Died != nil && !l.cfg.lastTry(int(t.entry.Attempts))
}

// isolate gives back the jobs that wait behind a suspect, which must not die with it. The suspect stays if it can
// begin. Otherwise it is given back, too, so that it does not die with those that run, and is asked for when they have
// ended.
func (l *loop) isolate() {
	stay := slices.IndexFunc(l.queue, l.isSuspect)
	switch {
	case stay < 0:
		return
	case stay == 0 && len(l.running) == 0:
		stay, l.alone = 1, true
	default:
		l.suspect = l.queue[stay].entry.ID
	}
	if stay == len(l.queue) {
		return
	}
	l.back = true
	l.giveBack(time.Now().Add(max(l.cfg.Drain, leastDrain)), l.queue[stay:], nil, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.back = false
		l.advance()
	})
	l.queue = l.queue[:stay:stay]
}
