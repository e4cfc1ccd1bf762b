package work

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/space"
)

// settle ends the transaction of t, whose handler has returned err, and returns what became of the job.
func (l *loop) settle(t *task, s settlement, err error) Report {
	ctx := s.ctx
	if s.lost != nil {
		return t.report(Lost, s.lost)
	}
	if err == nil {
		if err = t.txn.Commit(ctx); err == nil {
			return t.report(Done, nil)
		}
		if !refused(err) {
			return abandon(ctx, t, err)
		}
		return l.fail(ctx, t, err) // the transaction is as it was before the commit
	}
	// A handler may also have looked at the context of Run's caller, which has ended.
	if s.told || l.ending() && errors.Is(err, context.Canceled) {
		return giveUp(ctx, t, err)
	}
	if contended(err) {
		return yield(ctx, t, err)
	}
	return l.fail(ctx, t, err)
}

// contended reports whether a handler failed with err because others were in its way, which is not its failure.
func contended(err error) bool {
	if _, permanent := errors.AsType[*permanentError](err); permanent {
		return false
	}
	return errors.Is(err, space.ErrVersionConflict) || errors.Is(err, space.ErrLocked) ||
		errors.Is(err, space.ErrDeadlock)
}

// mostYield is how long at most a job that met others waits before it is given back, so that they do not meet again at
// once.
const mostYield = 20 * time.Millisecond

// yield gives a job back, without a failed attempt, whose handler met others. After a deadlock its transaction has
// ended already.
func yield(ctx context.Context, t *task, err error) Report {
	_ = backoff.Sleep(ctx, rand.N(mostYield))
	if e := t.txn.Abort(ctx); e != nil && !errors.Is(e, space.ErrTxnEnded) {
		return t.report(Lost, afterFailure(e, err))
	}
	return t.report(Returned, err)
}

// refused reports whether a commit failed because the space does not take what it was to write.
func refused(err error) bool {
	return errors.Is(err, space.ErrTooLarge) || errors.Is(err, space.ErrInvalidArgument) ||
		errors.Is(err, space.ErrSchemaConflict)
}

// abandon is for a job whose transaction could not be ended as it should, for the reason err.
func abandon(ctx context.Context, t *task, err error) Report {
	if !errors.Is(err, space.ErrTxnEnded) {
		_ = t.txn.Abort(ctx) // it may be open still; if not, or if this fails, it ends by itself
	}
	return t.report(Lost, err)
}

// giveUp gives a job back whose handler ended with err because it was told to.
func giveUp(ctx context.Context, t *task, err error) Report {
	if e := t.txn.Abort(ctx); e != nil {
		return t.report(Lost, e)
	}
	return t.report(Returned, err)
}

// fail undoes what a handler has done that failed with err, and has its job come back later or replaced by a dead
// letter.
func (l *loop) fail(ctx context.Context, t *task, err error) Report {
	if e := t.txn.Rollback(ctx, t.entry.ID); e != nil {
		return abandon(ctx, t, afterFailure(e, err))
	}
	attempts := int(t.entry.Attempts) + 1
	_, permanent := errors.AsType[*permanentError](err)
	_, died := errors.AsType[*WorkerDiedError](err)
	if permanent || died || l.cfg.lastTry(attempts) {
		if r, buried := l.bury(ctx, t, err); buried {
			return r
		}
	}
	delay := l.cfg.delay(attempts)
	if later, ok := errors.AsType[*laterError](err); ok {
		delay = later.delay
	}
	return postpone(ctx, t, err, delay)
}

// afterFailure is the error e of dealing with a handler's failure err.
func afterFailure(e, err error) error { return fmt.Errorf("%w, after the handler failed: %w", e, err) }

// postpone has a job come back after a delay.
func postpone(ctx context.Context, t *task, err error, delay time.Duration) Report {
	e := t.txn.Defer(ctx, t.entry.ID, delay)
	if e == nil {
		e = t.txn.Commit(ctx)
	}
	if e != nil {
		return abandon(ctx, t, afterFailure(e, err))
	}
	r := t.report(Retried, err)
	r.Delay = delay
	return r
}

// bury replaces a job by a dead letter. It returns false if the space does not take the letter: then the job must stay,
// and the transaction is as after a rollback.
func (l *loop) bury(ctx context.Context, t *task, err error) (Report, bool) {
	letter := newDeadLetter(&t.entry, err)
	e := l.replace(ctx, t, letter)
	if errors.Is(e, space.ErrTooLarge) {
		letter.Fields = ""
		e = l.replace(ctx, t, letter)
	}
	switch {
	case e == nil:
		return t.report(Dead, err), true
	case refused(e):
		return Report{}, false
	}
	return abandon(ctx, t, afterFailure(e, err)), true
}

// replace commits the transaction of t with a dead letter written under it. If the letter is refused it takes that
// back.
func (l *loop) replace(ctx context.Context, t *task, d DeadLetter) error {
	err := space.Stage(ctx, t.txn, l.cfg.DeadLetter(t.entry, d))
	if err == nil {
		err = t.txn.Commit(ctx)
	}
	if err == nil || !refused(err) {
		return err
	}
	if e := t.txn.Rollback(ctx, t.entry.ID); e != nil { // which forgets the letter
		return e
	}
	return err
}
