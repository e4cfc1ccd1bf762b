package space

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime/debug"
	"sync"
	"time"
)

// task is a job without its type, from the time when it was taken until Work has done with it.
type task struct {
	entry Entry
	txn   *Txn
	lease *Lease // of the transaction

	began time.Time     // set by begin
	took  time.Duration // by the handler; set by do

	mu     sync.Mutex
	ctx    context.Context         // of the handler, then of the calls that settle the job; set under mu, by begin and settle
	cancel context.CancelCauseFunc // of ctx
	cause  error                   // guarded by mu; why the lease is lost
	state  taskState               // guarded by mu
}

// taskState says who decides what becomes of a task.
type taskState uint8

const (
	taskOpen     taskState = iota // its handler, which has not returned
	taskSettling                  // its worker: the handler has returned
	taskLeft                      // its Work, which returns without the handler
)

// errDrained is the cause that ends the contexts of handlers which were given enough time to finish.
var errDrained = errors.New("space: the work ends, and the time to finish is over")

// newTask returns the task for an entry that was taken from sp, under a transaction of its own.
func newTask(sp Space, e *Entry) *task {
	t := &task{entry: *e, txn: e.Txn.Through(sp)}
	t.lease = t.txn.Lease()
	return t
}

// hadDeath reports whether a worker has died that had the job.
func (t *task) hadDeath() bool { return t.entry.Died != nil }

// begin prepares t for its handler. ctx is the parent of the handler's context.
func (t *task) begin(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.began = time.Now()
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	if t.cause != nil {
		t.cancel(t.cause)
	}
}

// tellToEnd ends the context of the handler, if that still runs.
func (t *task) tellToEnd() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state == taskOpen {
		t.cancel(errDrained)
	}
}

// leave ends what a worker still does for t. It returns true if the handler has not returned: its worker is on its own from then on.
func (t *task) leave() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cancel(errDrained)
	if t.state == taskOpen {
		t.state = taskLeft
	}
	return t.state == taskLeft
}

// lose ends the context of t because its lease is lost.
func (t *task) lose(cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cause = cause
	if t.cancel != nil {
		t.cancel(cause)
	}
}

// settlement is what a worker knows when the handler has returned.
type settlement struct {
	ctx  context.Context // for what is to be done
	lost error           // why the lease is lost, if it is
	told bool            // the handler was told to end
}

// settle begins the time after the handler. It returns false if Work has left the task: then there is nothing to be done.
func (t *task) settle() (settlement, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state == taskLeft {
		return settlement{}, false
	}
	t.state = taskSettling
	told := t.cause == nil && t.ctx.Err() != nil
	if told {
		t.ctx, t.cancel = context.WithCancelCause(context.WithoutCancel(t.ctx))
	}
	return settlement{t.ctx, t.cause, told}, true
}

// isSettling reports whether the handler has returned.
func (t *task) isSettling() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state == taskSettling
}

func (t *task) report(o JobOutcome, err error) WorkReport {
	return WorkReport{Outcome: o, Job: t.entry.ID, Kind: t.entry.Kind(), Attempts: int(t.entry.Attempts), Err: err, Took: t.took}
}

// worker does jobs until there are no more to come, or Work has left the one that it does.
func (w *work) worker() {
	left := false // then Work has not waited for it
	defer func() {
		if !left {
			w.helpers.Done()
		}
	}()
	for t := range w.begun {
		if w.do(t, &left); left {
			return
		}
	}
}

// startWorker starts a worker, for which Work waits unless it leaves the task of the worker.
func (w *work) startWorker() {
	w.helpers.Add(1)
	go w.worker()
}

// do has a job handled, and then makes what came of it hold in the space. It sets left if Work has left the task meanwhile.
func (w *work) do(t *task, left *bool) {
	err := errGoexit
	defer func() {
		s, ok := t.settle()
		if !ok {
			*left = true
			return
		}
		if err == errGoexit {
			w.startWorker() // the handler is ending this one
		}
		t.took = time.Since(t.began)
		w.options.report(w.settle(t, s, err))
		w.leases.drop(t)
		t.cancel(nil)
		w.ended <- t
	}()
	err = w.call(t)
}

// call calls the handler and returns how it failed.
func (w *work) call(t *task) (err error) {
	if t.ctx.Err() != nil {
		return context.Cause(t.ctx) // the lease was lost while it waited for a worker
	}
	if d := t.entry.Died; d != nil && w.options.tries > 0 && int(t.entry.Attempts) >= w.options.tries {
		return &WorkerDiedError{Holder: d.Holder, At: d.At}
	}
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return w.handle(t.ctx, t)
}

// settle ends the transaction of t, whose handler has returned err, and returns what became of the job.
func (w *work) settle(t *task, s settlement, err error) WorkReport {
	ctx := s.ctx
	if s.lost != nil {
		return t.report(JobLost, s.lost)
	}
	if err == nil {
		if err = t.txn.Commit(ctx); err == nil {
			return t.report(JobDone, nil)
		}
		if !refused(err) {
			return abandon(ctx, t, err)
		}
		return w.fail(ctx, t, err) // the transaction is as it was before the commit
	}
	// A handler may also have looked at the context of Work's caller, which has ended.
	if s.told || w.ending() && errors.Is(err, context.Canceled) {
		return giveUp(ctx, t, err)
	}
	if contended(err) {
		return yield(ctx, t, err)
	}
	return w.fail(ctx, t, err)
}

// contended reports whether a handler failed with err because others were in its way, which is nobody's failure.
func contended(err error) bool {
	if _, permanent := errors.AsType[*permanentError](err); permanent {
		return false
	}
	return errors.Is(err, ErrVersionConflict) || errors.Is(err, ErrLocked) || errors.Is(err, ErrDeadlock)
}

// mostYield is how long at most a job that met others waits before it is given back, so that they do not meet again at once.
const mostYield = 20 * time.Millisecond

// yield gives a job back, without a failed attempt, whose handler met others. After a deadlock its transaction has been ended already.
func yield(ctx context.Context, t *task, err error) WorkReport {
	_ = sleep(ctx, rand.N(mostYield))
	if e := t.txn.Abort(ctx); e != nil && !errors.Is(e, ErrTxnEnded) {
		return t.report(JobLost, afterFailure(e, err))
	}
	return t.report(JobReturned, err)
}

// refused reports whether a commit failed because the space does not take what it was to write.
func refused(err error) bool {
	return errors.Is(err, ErrTooLarge) || errors.Is(err, ErrInvalidArgument) || errors.Is(err, ErrSchemaConflict)
}

// abandon is for a job whose transaction could not be ended as it should, for the reason err.
func abandon(ctx context.Context, t *task, err error) WorkReport {
	if !errors.Is(err, ErrTxnEnded) {
		_ = t.txn.Abort(ctx) // it may be open still; if not, or if this fails, it ends by itself
	}
	return t.report(JobLost, err)
}

// giveUp gives a job back whose handler ended with err because it was told to.
func giveUp(ctx context.Context, t *task, err error) WorkReport {
	if e := t.txn.Abort(ctx); e != nil {
		return t.report(JobLost, e)
	}
	return t.report(JobReturned, err)
}

// fail undoes what a handler has done that failed with err, and has its job come back later or replaced by a dead letter.
func (w *work) fail(ctx context.Context, t *task, err error) WorkReport {
	if e := t.txn.Rollback(ctx, t.entry.ID); e != nil {
		return abandon(ctx, t, afterFailure(e, err))
	}
	attempts := int(t.entry.Attempts) + 1
	_, permanent := errors.AsType[*permanentError](err)
	_, died := errors.AsType[*WorkerDiedError](err)
	if permanent || died || w.options.tries > 0 && attempts >= w.options.tries {
		if r, buried := w.bury(ctx, t, err); buried {
			return r
		}
	}
	delay := w.options.delay(attempts)
	if later, ok := errors.AsType[*laterError](err); ok {
		delay = later.delay
	}
	return postpone(ctx, t, err, delay)
}

// afterFailure is the error e of dealing with a handler's failure err.
func afterFailure(e, err error) error { return fmt.Errorf("%w, after the handler failed: %w", e, err) }

// postpone has a job come back after a delay.
func postpone(ctx context.Context, t *task, err error, delay time.Duration) WorkReport {
	e := t.txn.Defer(ctx, t.entry.ID, delay)
	if e == nil {
		e = t.txn.Commit(ctx)
	}
	if e != nil {
		return abandon(ctx, t, afterFailure(e, err))
	}
	r := t.report(JobRetried, err)
	r.Delay = delay
	return r
}

// bury replaces a job by a dead letter. It returns false, and has done nothing, if the space does not take the letter: then the job must stay.
func (w *work) bury(ctx context.Context, t *task, err error) (WorkReport, bool) {
	letter := newDeadLetter(&t.entry, err)
	e := w.replace(ctx, t, letter)
	if errors.Is(e, ErrTooLarge) {
		letter.Fields = ""
		e = w.replace(ctx, t, letter)
	}
	switch {
	case e == nil:
		return t.report(JobDead, err), true
	case refused(e):
		return WorkReport{}, false
	}
	return abandon(ctx, t, afterFailure(e, err)), true
}

// replace commits the transaction of t with a dead letter written under it. It leaves the transaction as it was if the letter is refused.
func (w *work) replace(ctx context.Context, t *task, d DeadLetter) error {
	v := w.letter(&t.entry, d)
	codec, err := w.space.Codecs().For(ctx, w.space, reflect.TypeOf(v))
	if err != nil {
		return err
	}
	row, schema, err := codec.encode(nil, v)
	if err != nil {
		return err
	}
	_, err = w.space.Commit(ctx, t.txn.ID(), []Draft{{Kind: schema.Kind, Schema: schema, Row: row, Lease: Forever}})
	return err
}
