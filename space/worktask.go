package space

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// task is a job without its type, from the time when it was taken until Work has done with it.
type task struct {
	entry Entry
	txn   *Txn
	lease *Lease // of the transaction

	ctx      context.Context // ends when the lease is lost, with the cause
	lose     context.CancelCauseFunc
	settling atomic.Bool // the transaction is about to be ended, by do

	// Set by begin.
	began    time.Time
	handling context.Context // the handler's: ends with ctx, or when the drain time is over
	stop     context.CancelCauseFunc
	took     time.Duration // by the handler; set by do
}

// errDrained is the cause that ends the contexts of handlers which were given enough time to finish.
var errDrained = errors.New("space: the work ends, and the time to finish is over")

// newTask returns the task for an entry that was taken from sp under a transaction begun for it just now. ctx is the parent of its contexts.
func newTask(ctx context.Context, sp Space, e Entry, lease time.Duration) *task {
	t := &task{entry: e}
	// The lease runs from the moment of the grant. The answer is the first that is heard of it.
	t.txn = NewTxn(sp, e.Txn.ID(), lease, time.Now())
	t.lease = t.txn.Lease()
	t.ctx, t.lose = context.WithCancelCause(ctx)
	return t
}

// begin prepares t for its handler.
func (t *task) begin() {
	t.began = time.Now()
	t.handling, t.stop = context.WithCancelCause(t.ctx)
}

// lost returns why the lease of t is lost, or nil if it is not.
func (t *task) lost() error {
	if t.ctx.Err() == nil {
		return nil
	}
	return context.Cause(t.ctx)
}

func (t *task) report(o Outcome, err error) WorkReport {
	return WorkReport{Outcome: o, Job: t.entry.ID, Kind: t.entry.Kind(), Attempts: int(t.entry.Attempts), Err: err, Took: t.took}
}

// do has a job handled, and then sees to it that what it came to holds in the space.
func (w *work) do(t *task) {
	err := errGoexit
	defer func() { // so that a handler that ends the goroutine ends no more than its job
		t.took = time.Since(t.began)
		t.settling.Store(true)
		w.options.report(w.settle(t, err))
		w.leases.drop(t)
		t.stop(nil)
		t.lose(nil)
		w.ended <- t
	}()
	err = w.call(t)
}

// call calls the handler and returns how it failed.
func (w *work) call(t *task) (err error) {
	if err := t.lost(); err != nil {
		return err // while it waited for a worker
	}
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return w.handle(t.handling, t)
}

// settle ends the transaction of t, whose handler has returned err, and returns what became of the job.
func (w *work) settle(t *task, err error) WorkReport {
	if lost := t.lost(); lost != nil {
		return t.report(JobLost, lost)
	}
	if err == nil {
		if err = t.txn.Commit(t.ctx); err == nil {
			return t.report(JobDone, nil)
		}
		if !refused(err) {
			return w.abandon(t, err)
		}
		// The space does not take what the handler has staged. The transaction is as it was before the commit.
	} else if w.toldToEnd(t, err) {
		return w.giveUp(t, err)
	}
	return w.fail(t, err)
}

// toldToEnd reports whether a handler has failed because Work ends: its own context has ended, or one that the caller of Work ended, too.
func (w *work) toldToEnd(t *task, err error) bool {
	return errors.Is(context.Cause(t.handling), errDrained) || w.ending() && errors.Is(err, context.Canceled)
}

// refused reports whether a commit failed for what it was to write.
func refused(err error) bool {
	return errors.Is(err, ErrTooLarge) || errors.Is(err, ErrInvalidArgument) || errors.Is(err, ErrSchemaConflict)
}

// abandon is for a job whose transaction could not be ended as it should, for the reason err.
func (w *work) abandon(t *task, err error) WorkReport {
	if !errors.Is(err, ErrTxnEnded) {
		_ = t.txn.Abort(t.ctx) // it may be open still; if not, or if this fails, it ends by itself
	}
	return t.report(JobLost, err)
}

// giveUp gives a job back whose handler ended with err because it was told to.
func (w *work) giveUp(t *task, err error) WorkReport {
	if e := t.txn.Abort(t.ctx); e != nil {
		return t.report(JobLost, e)
	}
	return t.report(JobReturned, err)
}

// fail undoes what a handler has done that failed with err, and has its job come back later or replaced by a dead letter.
func (w *work) fail(t *task, err error) WorkReport {
	id := t.entry.ID
	if e := t.txn.Rollback(t.ctx, id); e != nil {
		return w.abandon(t, fmt.Errorf("%w, after the handler failed: %w", e, err))
	}
	attempts := int(t.entry.Attempts) + 1
	_, permanent := errors.AsType[*permanentError](err)
	if permanent || w.options.tries > 0 && attempts >= w.options.tries {
		if r, buried := w.bury(t, err); buried {
			return r
		}
	}
	delay := w.options.delay(attempts)
	if later, ok := errors.AsType[*laterError](err); ok {
		delay = later.delay
	}
	return w.postpone(t, err, delay)
}

// postpone has a job come back after a delay.
func (w *work) postpone(t *task, err error, delay time.Duration) WorkReport {
	e := t.txn.Defer(t.ctx, t.entry.ID, delay)
	if e == nil {
		e = t.txn.Commit(t.ctx)
	}
	if e != nil {
		return w.abandon(t, fmt.Errorf("%w, after the handler failed: %w", e, err))
	}
	r := t.report(JobRetried, err)
	r.Delay = delay
	return r
}

// bury replaces a job by a dead letter. It returns false, and has done nothing, if the letter is more than the space takes: then the job must stay.
func (w *work) bury(t *task, err error) (WorkReport, bool) {
	letter := newDeadLetter(&t.entry, err)
	e := w.replace(t, letter)
	if errors.Is(e, ErrTooLarge) {
		letter.Fields = ""
		e = w.replace(t, letter)
	}
	switch {
	case e == nil:
		return t.report(JobDead, err), true
	case refused(e):
		return WorkReport{}, false
	}
	return w.abandon(t, fmt.Errorf("%w, after the handler failed: %w", e, err)), true
}

// replace commits the transaction of t with a dead letter written under it. It leaves the transaction as it was if the letter is refused.
func (w *work) replace(t *task, d DeadLetter) error {
	v := w.letter(&t.entry, d)
	codec, err := w.space.Codecs().For(t.ctx, w.space, reflect.TypeOf(v))
	if err != nil {
		return err
	}
	row, err := codec.AppendRow(nil, v)
	if err != nil {
		return err
	}
	_, err = w.space.Commit(t.ctx, t.txn.ID(), []Draft{{Kind: codec.Schema().Kind, Row: row, Lease: Forever}})
	return err
}
