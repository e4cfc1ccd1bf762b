package work

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/space"
)

// settle ends the transaction of t, whose handler has returned err, and returns the report.
func (w *worker) settle(t *task, s settlement, err error) Report {
	ctx := s.ctx
	if !s.told && contended(err) {
		return w.yield(ctx, t, err)
	}
	if errors.Is(s.lost, space.ErrDeadlock) { // the news of it came before the answer of the call that waited
		return w.yield(ctx, t, s.lost)
	}
	if s.lost != nil {
		return t.report(Lost, s.lost)
	}
	if err == nil {
		if err = t.txn.Commit(ctx); err == nil {
			w.meetings.Ease()
			return t.report(Done, nil)
		}
		if !refused(err) {
			return abandon(ctx, t, err)
		}
		return w.fail(ctx, t, err) // the transaction is as it was before the commit
	}
	// A handler may also have looked at the context of Run's caller, which has ended.
	if s.told || w.ending() && errors.Is(err, context.Canceled) {
		return giveUp(ctx, t, err)
	}
	return w.fail(ctx, t, err)
}

// contended reports whether a handler failed with err because of other transactions, which is not its failure.
func contended(err error) bool {
	if _, permanent := errors.AsType[*permanentError](err); permanent {
		return false
	}
	return errors.Is(err, space.ErrVersionConflict) || errors.Is(err, space.ErrLocked) ||
		errors.Is(err, space.ErrDeadlock)
}

// The pause of a worker whose handler met others grows within these bounds with each such job, and shrinks with each
// job that is done. So about as many handlers run beside each other as do not get in each other's way.
const (
	leastYield = 5 * time.Millisecond
	mostYield  = 5 * time.Second
)

// yield gives a job back, without a failed attempt, whose handler met others, and pauses. Meanwhile it keeps the job,
// but no other lock, unless the transaction was ended to break a deadlock.
func (w *worker) yield(ctx context.Context, t *task, err error) Report {
	e := t.txn.Rollback(ctx, t.entry.ID)
	_ = w.meetings.Wait(w.caller) // if it returns early there are no more jobs to be taken
	if e == nil {
		e = t.txn.Abort(ctx)
	}
	if e != nil && !errors.Is(e, space.ErrTxnEnded) && !t.isLost() { // the news of its end cancels ctx
		return abandon(ctx, t, afterFailure(e, err))
	}
	return t.report(Returned, err)
}

// refused reports whether a commit failed because the space refuses what it was to write.
func refused(err error) bool {
	return errors.Is(err, space.ErrTooLarge) || errors.Is(err, space.ErrInvalidArgument) ||
		errors.Is(err, space.ErrSchemaConflict)
}

// abandon reports a job whose transaction could not be ended as intended, because of err.
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

// fail undoes what a handler has done that failed with err, and postpones its job or replaces it by a dead letter.
func (w *worker) fail(ctx context.Context, t *task, err error) Report {
	if e := t.txn.Rollback(ctx, t.entry.ID); e != nil {
		return abandon(ctx, t, afterFailure(e, err))
	}
	attempts := int(t.entry.Attempts) + 1
	_, permanent := errors.AsType[*permanentError](err)
	_, died := errors.AsType[*WorkerDiedError](err)
	if permanent || died || w.cfg.lastTry(attempts) {
		if r, buried := w.bury(ctx, t, err); buried {
			return r
		}
	}
	delay := w.cfg.delay(attempts)
	if later, ok := errors.AsType[*laterError](err); ok {
		delay = later.delay
	}
	return postpone(ctx, t, err, delay)
}

// afterFailure returns e, the error of handling a handler's failure err, with that failure.
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

// bury replaces a job by a dead letter. It returns false if the space refuses the letter: the job must stay, and the
// transaction is as after a rollback.
func (w *worker) bury(ctx context.Context, t *task, err error) (Report, bool) {
	letter := newDeadLetter(&t.entry, err)
	e := w.replace(ctx, t, letter)
	if errors.Is(e, space.ErrTooLarge) {
		letter.Fields = ""
		e = w.replace(ctx, t, letter)
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
func (w *worker) replace(ctx context.Context, t *task, d DeadLetter) error {
	err := space.Stage(ctx, t.txn, w.cfg.DeadLetter(t.entry, d))
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
