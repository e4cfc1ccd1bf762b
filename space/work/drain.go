package work

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/space"
)

// DrainError is why Run has returned without some handlers: they were still running when the drain time was over. Run
// has given their jobs back (Returned), and nothing of what they do under their transactions happens.
type DrainError struct {
	Running int           // handlers that were left
	Drain   time.Duration // the time that they had
}

// Error tells how many handlers were left.
func (e *DrainError) Error() string {
	return fmt.Sprintf("work: the drain time of %v is over; handlers still running: %d (their jobs are given back)",
		e.Drain, e.Running)
}

// errLeft is why a job is given back whose handler was still running, and why its transaction has ended for the
// handler.
var errLeft = fmt.Errorf("%w: the drain time is over, and its handler was still running", space.ErrTxnEnded)

// leastDrain is the time that handlers have at least, so that those that do end when they are told to are waited for.
const leastDrain = 100 * time.Millisecond

// drainTimes are the times, counted from the end of Run's context, at which a loop that drains does what is next.
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

// drain gives back the jobs that wait for a worker, and those that are still to come, and waits for the handlers as
// long as they may run.
func (l *loop) drain() error {
	times := newDrainTimes(l.cfg.Drain)
	deadline := time.Now().Add(times.end)
	tell, leave := time.NewTimer(times.tell), time.NewTimer(times.leave)
	defer tell.Stop()
	defer leave.Stop()
	var left error
	for {
		l.giveBack(deadline, l.queue, nil)
		l.queue = nil
		if !l.asking && len(l.running) == 0 {
			return errors.Join(l.fatal, left)
		}
		select {
		case b := <-l.taken:
			l.asking = false
			l.admit(b.entries)
		case t := <-l.ended:
			l.finish(t)
		case <-tell.C:
			for t := range l.running {
				t.tellToEnd()
			}
		case <-leave.C:
			left = l.leave(deadline)
		}
	}
}

// leave gives back the jobs of the handlers that still run, and ends what is done for those that have returned. It
// returns a *DrainError if it has left handlers.
func (l *loop) leave(deadline time.Time) error {
	var left []*task
	for t := range l.running {
		if !t.leave() {
			continue
		}
		delete(l.running, t)
		l.helpers.Done() // for its worker
		t.txn.Lose(errLeft)
		left = append(left, t)
	}
	if len(left) == 0 {
		return nil
	}
	l.giveBack(deadline, left, errLeft)
	return &DrainError{Running: len(left), Drain: l.cfg.Drain}
}

// giveBack aborts the transactions of jobs, all with one call, and closes done then. If it fails, or has no answer
// before the deadline, they end with their leases.
func (l *loop) giveBack(deadline time.Time, back []*task, why error) (done chan struct{}) {
	done = make(chan struct{})
	if len(back) == 0 {
		close(done)
		return done
	}
	l.helpers.Go(func() {
		defer close(done)
		ctx, cancel := context.WithDeadline(l.jobs, deadline)
		defer cancel()
		ids := make([]space.LeaseID, len(back))
		for i, t := range back {
			ids[i] = t.lease.ID()
		}
		_ = l.space.Cancel(ctx, ids...)
		for _, t := range back {
			l.leases.drop(t)
			r := t.report(Returned, why)
			if why != nil {
				r.Took = time.Since(t.began)
			}
			l.cfg.Report(r)
		}
	})
	return done
}
