package work

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gospaces/gospaces/space"
)

// task is a job without its type, from when it is taken until its loop is done with it.
type task struct {
	entry space.Entry
	txn   *space.Txn
	lease *space.Lease // of the transaction

	place int           // among those that run; guarded by the loop's mu
	began time.Time     // set by begin
	took  time.Duration // by the handler; set by do

	mu     sync.Mutex
	ctx    context.Context         // of the handler, then of the calls that settle the job; set by begin and settle
	cancel context.CancelCauseFunc // of ctx
	cause  error                   // guarded by mu; why the lease is lost
	state  taskState               // guarded by mu
}

// taskState says who decides what becomes of a task.
type taskState uint8

const (
	taskOpen     taskState = iota // its handler, which has not returned
	taskSettling                  // its worker: the handler has returned
	taskLeft                      // its loop, which returns without the handler
)

// errDrained is the cause that ends the contexts of handlers which were given enough time to finish.
var errDrained = errors.New("work: the work ends, and the time to finish is over")

// newTask returns the task for an entry that was taken from sp, under a transaction of its own.
func newTask(sp space.Space, e *space.Entry) *task {
	t := &task{entry: *e, txn: e.Txn.Through(sp)}
	t.lease = t.txn.Lease()
	return t
}

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

// leave ends what a worker still does for t. It returns true if the handler has not returned: its worker is on its own
// from then on.
func (t *task) leave() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cancel(errDrained)
	if t.state == taskOpen {
		t.state = taskLeft
	}
	return t.state == taskLeft
}

// lose ends the context of t because its lease is lost. Only the first cause counts.
func (t *task) lose(cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cause != nil {
		return
	}
	t.cause = cause
	if t.cancel != nil {
		t.cancel(cause)
	}
}

// isLost reports whether the lease is lost.
func (t *task) isLost() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cause != nil
}

// settlement is what a worker knows when the handler has returned.
type settlement struct {
	ctx  context.Context // for what is to be done
	lost error           // why the lease is lost, if it is
	told bool            // the handler was told to end
}

// settle begins the time after the handler. It returns false if the loop has left the task: then there is nothing to
// be done.
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

func (t *task) report(o Outcome, err error) Report {
	return Report{
		Outcome: o, Job: t.entry.ID, Kind: t.entry.Kind(), Attempts: int(t.entry.Attempts), Err: err, Took: t.took,
	}
}
