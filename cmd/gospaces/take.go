package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

// takeLease is how long the entries of a killed take stay locked.
const takeLease = 10 * time.Second

// takeAll prints and removes up to limit matches. It takes them in batches, each under a transaction that it commits
// once the output has the batch, so that a command that is killed, or whose output breaks, leaves the batch in the
// space. Only the first entry is waited for. Batches double, from one entry on: `gospaces take job --all | head -1`
// takes one.
//
// With q.Txn, the entries are taken under the caller's transaction.
func (a *app) takeAll(ctx context.Context, sp space.Space, q space.Query, limit int) error {
	if err := a.canDeliver(); err != nil {
		return err
	}
	q.Max = min(bulk, limit)
	take := a.takeUnder
	if q.Txn.IsZero() {
		q.Max, take = 1, a.takeBatch
	}
	for taken := 0; taken < limit; q.NoWait = true {
		n, err := take(ctx, sp, q)
		if taken > 0 && errors.Is(err, space.ErrNoMatch) {
			return nil
		}
		if err != nil {
			return err
		}
		taken += n
		q.Max = min(2*q.Max, bulk, limit-taken)
	}
	return nil
}

// takeUnder takes under the caller's transaction, and prints.
func (a *app) takeUnder(ctx context.Context, sp space.Space, q space.Query) (int, error) {
	entries, err := sp.Take(ctx, q)
	if err != nil {
		return 0, err
	}
	return len(entries), a.deliver(ctx, lines(entries))
}

// takeBatch takes, prints and commits.
func (a *app) takeBatch(ctx context.Context, sp space.Space, q space.Query) (int, error) {
	t, entries, err := begunTake(ctx, sp, q)
	if err != nil {
		return 0, err
	}
	keeper := space.KeepAlive(ctx, takeLease, t.Lease()) // a reader, such as a pager, may be slow
	defer keeper.Stop()
	if err := a.deliver(ctx, lines(entries)); err != nil {
		rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeLease)
		defer cancel()
		_ = t.Abort(rest) // otherwise its lease ends
		return 0, fmt.Errorf("%w; what was not printed is still in the space", err)
	}
	if err := t.Commit(ctx); err != nil {
		return 0, fmt.Errorf("the last %d entries that were printed may still be in the space: %w", len(entries), err)
	}
	return len(entries), nil
}

// begunTake begins a transaction and takes up to q.Max matches under it. A take of one entry waits as q says, and the
// space begins the transaction when it finds the entry: a wait survives a restart of the server, a transaction does
// not.
func begunTake(ctx context.Context, sp space.Space, q space.Query) (*space.Txn, []space.Entry, error) {
	if q.Max == 1 {
		q.Begin, q.Lease = true, takeLease
		entries, err := sp.Take(ctx, q)
		if err != nil {
			return nil, nil, err
		}
		return entries[0].Txn, entries, nil
	}
	t, err := sp.Begin(ctx, takeLease)
	if err != nil {
		return nil, nil, err
	}
	q.Txn = t.ID()
	entries, err := sp.Take(ctx, q)
	return t, entries, err
}

// lines returns entries as JSON lines.
func lines(entries []space.Entry) (out []byte) {
	for _, e := range entries {
		out = append(template.AppendJSON(out, e.Schema, e.Row), '\n')
	}
	return out
}
