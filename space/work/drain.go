package work

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gospaces/gospaces/space"
)

// DrainError is returned by Run if some handlers still ran when the drain time was over. Run has given their jobs back
// (Returned); what they do under their transactions has no effect.
type DrainError struct {
	Running int           // handlers that were left
	Drain   time.Duration // the time that they had
}

// Error tells how many handlers were left.
func (e *DrainError) Error() string {
	return fmt.Sprintf("work: the drain time of %v is over; handlers still running: %d (their jobs are given back)",
		e.Drain, e.Running)
}

// errLeft is the reason why a job is given back whose handler still ran, and the cause with which the handler's context
// ends.
var errLeft = fmt.Errorf("%w: the drain time is over, and its handler was still running", space.ErrTxnEnded)

// leastDrain is the minimum drain time, so that handlers which end when their contexts do are waited for.
const leastDrain = 100 * time.Millisecond

// drainTimes are the steps of a drain, as times after the end of Run's context.
type drainTimes struct {
	tell  time.Duration // ends the contexts of the handlers
	leave time.Duration // gives back the jobs of those that still run
	end   time.Duration // gives up calls that have no answer, and returns
}

func newDrainTimes(d time.Duration) drainTimes {
	end := max(d, leastDrain)
	step := min(end/20, 500*time.Millisecond)
	return drainTimes{tell: max(0, d-2*step), leave: end - step, end: end}
}

// drain gives back the jobs that wait for a worker, and those that are still to come, and waits for the running
// handlers until the drain time is over.
func (l *loop) drain() error {
	times := newDrainTimes(l.cfg.Drain)
	deadline := time.Now().Add(times.end)
	tell, leave := time.NewTimer(times.tell), time.NewTimer(times.leave)
	defer tell.Stop()
	defer leave.Stop()
	var left error
	for {
		waiting, over := l.empty()
		l.giveBack(deadline, waiting, nil, nil)
		if over {
			return errors.Join(l.fatal, left)
		}
		select {
		case <-l.turn:
		case <-tell.C:
			l.tellToEnd()
		case <-leave.C:
			left = l.leave(deadline)
		}
	}
}

// empty stops further jobs from beginning, and returns those that wait for a worker. It reports whether none runs or is
// to come.
func (l *loop) empty() (waiting []*task, over bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.draining, l.waiting = true, 0
	l.begun.Broadcast()
	waiting, l.queue = l.queue, nil
	return waiting, !l.asking && len(l.running) == 0
}

// tellToEnd ends the contexts of the handlers that run.
func (l *loop) tellToEnd() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.running {
		t.tellToEnd()
	}
}

// leave gives back the jobs of the handlers that still run. It returns a *DrainError if there are any.
func (l *loop) leave(deadline time.Time) error {
	left := l.leaveRunning()
	if len(left) == 0 {
		return nil
	}
	for _, t := range left {
		l.helpers.Done() // for its worker
		t.txn.Lose(errLeft)
	}
	l.giveBack(deadline, left, errLeft, nil)
	return &DrainError{Running: len(left), Drain: l.cfg.Drain}
}

// leaveRunning takes the jobs whose handlers still run out of those that run, and returns them.
func (l *loop) leaveRunning() (left []*task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range slices.Clone(l.running) {
		if t.leave() {
			l.remove(t)
			left = append(left, t)
		}
	}
	return left
}

// giveBack aborts the transactions of jobs, all with one call, and calls done then, unless that is nil. If it fails, or
// has no answer before the deadline, they end with their leases. It does not block.
func (l *loop) giveBack(deadline time.Time, back []*task, why error, done func()) {
	if len(back) == 0 {
		return
	}
	l.helpers.Go(func() {
		ctx, cancel := context.WithDeadline(l.jobs, deadline)
		defer cancel()
		ids := make([]space.LeaseID, len(back))
		for i, t := range back {
			ids[i] = t.lease.ID()
		}
		_ = l.space.Cancel(ctx, ids...)
		for _, t := range back {
			r := t.report(Returned, why)
			if why != nil {
				r.Took = time.Since(t.began)
			}
			l.cfg.Report(r)
		}
		if done != nil {
			done()
		}
	})
}
