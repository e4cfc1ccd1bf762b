package partition

import (
	"context"

	"github.com/gospaces/gospaces/internal/call"
)

// await runs op, which must not wait, and returns its error once it is durable. take, if not nil, is first called with
// the result of a successful op, with the lock held. await returns ctx's error if ctx ends first: op has then run, but
// may be lost.
func (p *Partition) await(ctx context.Context, op func(now int64) call.Result, take func(r *call.Result)) error {
	w := newAwaiter(take)
	p.do(w, 0, op)
	return w.wait(ctx)
}

// awaiter is the Caller of one call, for a goroutine that waits for its outcome.
type awaiter struct {
	call.Single
	take func(r *call.Result)
}

var _ Caller = (*awaiter)(nil)

func newAwaiter(take func(r *call.Result)) *awaiter { return &awaiter{call.NewSingle(), take} }

func (w *awaiter) wait(ctx context.Context) error {
	select {
	case <-w.Done():
		return w.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Reply implements Caller.
func (w *awaiter) Reply(_ uint64, r *call.Result, lsn LSN, durable bool) {
	if w.take != nil && r.Err == nil {
		w.take(r)
	}
	w.Settle(r.Err, lsn, durable)
}
