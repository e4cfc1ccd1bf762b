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
}

// startWorker starts a worker, for which the loop waits unless it leaves the task of the worker.
func (l *loop) startWorker() {
	l.helpers.Add(1)
	w := &worker{loop: l, meetings: backoff.Backoff{Min: leastYield, Max: mostYield}}
	go w.run()
}

// run does jobs until there are no more to come, or the loop has left the one that it does.
func (w *worker) run() {
	t := w.next(nil)
	for t != nil {
		if !w.do(t) {
			return // the loop does not wait for it
		}
		t = w.next(t)
	}
	w.helpers.Done()
}

// do has a job handled, and then makes what came of it hold in the space. It returns false if the loop has left the
// job.
func (w *worker) do(t *task) (mine bool) {
	err := errGoexit
	defer func() {
		if mine = w.conclude(t, err); mine && err == errGoexit {
			w.exit(t)
		}
	}()
	err = w.call(t)
	return
}

// conclude makes what came of a job hold in the space, and reports it. It returns false if the loop has left the job.
func (w *worker) conclude(t *task, err error) bool {
	s, ok := t.settle()
	if !ok {
		return false
	}
	t.took = time.Since(t.began)
	w.cfg.Report(w.settle(t, s, err))
	t.cancel(nil)
	return true
}

// exit ends a worker whose handler has ended the goroutine. Another is started when there is a job for it.
func (w *worker) exit(t *task) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.workers--
	w.finish(t)
	w.advance()
	w.helpers.Done()
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
