package work

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
)

// worker does one job after the other.
type worker struct {
	*loop
	meetings backoff.Backoff // pauses after jobs whose handlers met others
	left     bool            // the loop has left the one that it does, and does not wait for the worker
}

// startWorker starts a worker, for which the loop waits unless it leaves the task of the worker.
func (l *loop) startWorker() {
	l.helpers.Add(1)
	w := &worker{loop: l, meetings: backoff.Backoff{Min: leastYield, Max: mostYield}}
	go w.run()
}

// run does jobs until there are no more to come, or the loop has left the one that it does.
func (w *worker) run() {
	defer func() {
		if !w.left {
			w.helpers.Done()
		}
	}()
	for t := range w.begun {
		if w.do(t); w.left {
			return
		}
	}
}

// do has a job handled, and then makes what came of it hold in the space.
func (w *worker) do(t *task) {
	err := errGoexit
	defer func() {
		s, ok := t.settle()
		if !ok {
			w.left = true
			return
		}
		if err == errGoexit {
			w.startWorker() // the handler is ending this one
		}
		t.took = time.Since(t.began)
		w.cfg.Report(w.settle(t, s, err))
		w.leases.drop(t)
		t.cancel(nil)
		w.ended <- t
	}()
	err = w.call(t)
}

// call calls the handler and returns how it failed.
func (w *worker) call(t *task) (err error) {
	if t.ctx.Err() != nil {
		return context.Cause(t.ctx) // the lease was lost while it waited for a worker
	}
	if d := t.entry.Died; d != nil && w.cfg.lastTry(int(t.entry.Attempts)) {
		return &WorkerDiedError{Holder: d.Holder, At: d.At}
	}
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return w.handle(t.ctx, t)
}
