package partition

import (
	"context"
	"sync"

	"github.com/gospaces/gospaces/internal/call"
)

// await runs op, which must not wait, and returns its error once it is durable. take, if not nil, is first called with
// the result of a successful op, with the lock held. await returns ctx's error if ctx ends first: op has then run, but
// may be lost.
func (p *Partition) await(ctx context.Context, op func(now int64) call.Result, take func(r *call.Result)) error {
	w := &awaiter{done: make(chan error, 1), take: take}
	p.do(w, 0, op)
	return w.wait(ctx)
}

// awaiter is the Caller of one call, for a goroutine that waits for its outcome.
type awaiter struct {
	done chan error // capacity 1: the outcome is durable, or lost
	take func(r *call.Result)

	mu   sync.Mutex
	held bool  // guarded by mu; err waits until lsn is durable
	lsn  LSN   // guarded by mu
	err  error // guarded by mu
}

var _ Caller = (*awaiter)(nil)

func (w *awaiter) wait(ctx context.Context) error {
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Reply implements Caller.
func (w *awaiter) Reply(_ uint64, r *call.Result, lsn LSN, durable bool) {
	if w.take != nil && r.Err == nil {
		w.take(r)
	}
	if durable {
		w.done <- r.Err
		return
	}
	w.mu.Lock()
	w.held, w.lsn, w.err = true, lsn, r.Err
	w.mu.Unlock()
}

// Event implements Caller; there are no events.
func (w *awaiter) Event(*Event, LSN, bool) bool { return true }

// Durable implements Caller.
func (w *awaiter) Durable(lsn LSN) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held && w.lsn <= lsn {
		w.held = false
		w.done <- w.err
	}
}

// Lost implements Caller.
func (w *awaiter) Lost(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held {
		w.held = false
		w.done <- err
	}
}
