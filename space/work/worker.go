package work

import (
	"context"
	"runtime/debug"
	"time"
)

// worker does jobs until there are no more to come, or the loop has left the one that it does.
func (l *loop) worker() {
	left := false // then the loop has not waited for it
	defer func() {
		if !left {
			l.helpers.Done()
		}
	}()
	for t := range l.begun {
		if l.do(t, &left); left {
			return
		}
	}
}

// startWorker starts a worker, for which the loop waits unless it leaves the task of the worker.
func (l *loop) startWorker() {
	l.helpers.Add(1)
	go l.worker()
}

// do has a job handled, and then makes what came of it hold in the space. It sets left if the loop has left the task
// meanwhile.
func (l *loop) do(t *task, left *bool) {
	err := errGoexit
	defer func() {
		s, ok := t.settle()
		if !ok {
			*left = true
			return
		}
		if err == errGoexit {
			l.startWorker() // the handler is ending this one
		}
		t.took = time.Since(t.began)
		l.cfg.Report(l.settle(t, s, err))
		l.leases.drop(t)
		t.cancel(nil)
		l.ended <- t
	}()
	err = l.call(t)
}

// call calls the handler and returns how it failed.
func (l *loop) call(t *task) (err error) {
	if t.ctx.Err() != nil {
		return context.Cause(t.ctx) // the lease was lost while it waited for a worker
	}
	if d := t.entry.Died; d != nil && l.cfg.lastTry(int(t.entry.Attempts)) {
		return &WorkerDiedError{Holder: d.Holder, At: d.At}
	}
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return l.handle(t.ctx, t)
}
