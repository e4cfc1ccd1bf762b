package space

import (
	"context"
	"time"
)

// TakeNext commits t and takes the next entry, as t.Commit and TakeTxn do, both at once: a worker that goes from one
// entry to the next so makes one round trip for each. The calls take effect in either order, so what the commit writes
// may be found or not. A take that waits does not hold up the commit. TakeNext blocks until both calls have ended.
//
// If both succeed TakeNext returns the entry and its transaction. If the commit fails TakeNext returns its error,
// whatever became of the take, and t is as Commit leaves it; a take that waits is ended, and what was taken is put
// back. If only the take fails t is committed, and TakeNext returns what TakeTxn does: ErrNoMatch if there is no next
// entry, for example. t.Outcome tells either case from the other after an error that both may return.
func TakeNext[T any](ctx context.Context, t *Txn, template T, opts ...TakeTxnOption) (T, *Txn, error) {
	taking, stop := context.WithCancel(ctx)
	defer stop()
	committed := make(chan error, 1)
	go func() {
		err := t.Commit(ctx)
		if err != nil {
			stop() // a take that waits
		}
		committed <- err
	}()
	v, next, err := TakeTxn(taking, t.space, template, opts...)
	if failed := <-committed; failed != nil {
		if next != nil {
			putBack(ctx, next)
		}
		return *new(T), nil, failed
	}
	return v, next, err
}

// putBackTime bounds the abort of a transaction that is not wanted. If it fails the transaction ends with its lease.
const putBackTime = 10 * time.Second

func putBack(ctx context.Context, t *Txn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), putBackTime)
	defer cancel()
	_ = t.Abort(ctx)
}
