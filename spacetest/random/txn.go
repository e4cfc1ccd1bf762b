package random

import (
	"context"
	"slices"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest/history"
	"github.com/gospaces/gospaces/txn"
)

// Txn makes the calls of a caller under a transaction, or under none. It belongs to the caller's goroutine.
type Txn struct {
	*Caller
	Open   *space.Txn           // nil: none
	ID     int                  // of the transaction in the history
	Home   space.Space          // in which the transaction begins
	Key    func() int           // returns the key of a call; 0, for a find or a count: all
	Shared bool                 // others may call under the same transaction
	Heard  func(op *history.Op) // hears of the outcome of each call, and may change it; nil: nothing does

	taken []seen // in Home
	read  []seen // entries that the transaction has changed are here as they are now
}

// Do makes and records a call under the transaction.
func (t *Txn) Do(op history.Op, call func(ctx context.Context, op *history.Op) error) {
	op.Txn = t.ID
	t.Record(op, func(op *history.Op) {
		ctx, cancel := t.Context()
		defer cancel()
		op.Outcome = t.Outcome(call(ctx, op))
		if t.Heard != nil {
			t.Heard(op)
		}
	})
}

// Step makes a random call under the transaction, or rests while it holds its locks.
func (t *Txn) Step() {
	switch n := t.Rng.IntN(100); {
	case n < 29:
		t.Write(1 + t.Rng.IntN(2))
	case n < 61:
		t.Find(history.Take, 1+t.Rng.IntN(2))
	case n < 80:
		t.Find(history.Read, 1+t.Rng.IntN(2))
	case n < 84:
		t.Count()
	case n < 93 && !t.Shared: // versions tell transactions apart, not callers that share one
		t.Update()
	case n < 96 && !t.Shared:
		t.Rollback()
	case n < 98:
		time.Sleep(UpTo(t.Rng, t.Rest))
	default:
		t.Find(history.Take, 1)
	}
}

// id returns the identity of the transaction, which is zero without one.
func (t *Txn) id() txn.ID {
	if t.Open == nil {
		return txn.ID{}
	}
	return t.Open.ID()
}

// in adds the option that makes a call part of the transaction, if there is one.
func in[O any](t *space.Txn, opts ...O) []O {
	if t != nil {
		opts = append(opts, any(space.In(t)).(O))
	}
	return opts
}

// Begin begins the transaction. Open stays nil if that fails.
func (t *Txn) Begin(opts ...space.LeaseOption) {
	t.Do(history.Op{Verb: history.Begin}, func(ctx context.Context, _ *history.Op) (err error) {
		t.Open, err = space.Begin(ctx, t.Home, opts...)
		return err
	})
}

// Abort aborts the transaction.
func (t *Txn) Abort() {
	t.Do(history.Op{Verb: history.Abort}, func(ctx context.Context, _ *history.Op) error {
		return t.Home.Abort(ctx, t.id())
	})
}

// Commit commits the transaction and writes n items with it.
func (t *Txn) Commit(n int) {
	key := t.key()
	for t.Space(key) != t.Home {
		key = t.key()
	}
	stage := space.TxnOf(t.Home, t.id())
	t.Do(history.Op{Verb: history.Commit, Items: t.items(key, n)}, func(ctx context.Context, op *history.Op) error {
		for _, i := range op.Items {
			if err := space.Stage(ctx, stage, ItemOf(i, t.Pad())); err != nil {
				return err
			}
		}
		return stage.Commit(ctx)
	})
}

// Rollback undoes the changes of the transaction, except for one of the takes.
func (t *Txn) Rollback() {
	op := history.Op{Verb: history.Rollback}
	var keep []space.LeaseID
	if len(t.taken) > 0 && t.Rng.IntN(2) == 0 {
		kept := t.taken[t.Rng.IntN(len(t.taken))]
		keep, op.Items = append(keep, kept.id), append(op.Items, kept.item.Plain())
	}
	t.Do(op, func(ctx context.Context, _ *history.Op) error { return t.Home.Rollback(ctx, t.id(), keep...) })
	t.read, t.taken = nil, slices.DeleteFunc(t.taken, func(s seen) bool { return !slices.Contains(keep, s.id) })
}

// key returns a key that is not 0.
func (t *Txn) key() int {
	for {
		if key := t.Key(); key != 0 {
			return key
		}
	}
}

// items returns n new items of a key.
func (t *Txn) items(key, n int) []history.Item {
	items := make([]history.Item, n)
	for i := range items {
		items[i] = history.Item{Key: key, Color: 1 + t.Rng.IntN(t.Colors), N: t.Number()}
	}
	return items
}

// Write writes n items.
func (t *Txn) Write(n int) {
	key, lease := t.key(), t.Lease()
	op := history.Op{Verb: history.Write, Items: t.items(key, n), Lease: lease}
	vs := make([]Item, n)
	for i := range vs {
		vs[i] = ItemOf(op.Items[i], t.Pad())
	}
	t.Do(op, func(ctx context.Context, op *history.Op) error {
		ls, err := space.WriteAll(ctx, t.Space(key), vs, in[space.WriteOption](t.Open, space.For(lease))...)
		for i, l := range ls {
			op.Lease = l.Granted()
			t.leases = append(latest(t.leases, 20), leased{l, op.Items[i]})
		}
		return err
	})
}

// Update changes one of the entries that were seen, if it is unchanged.
func (t *Txn) Update() {
	among := &t.outside
	if t.Open != nil {
		among = &t.read
	}
	if len(*among) == 0 {
		return
	}
	s := &(*among)[len(*among)-1-t.Rng.IntN(min(2, len(*among)))] // an entry that was seen just now probably still exists
	next := s.item
	next.V++
	op := history.Op{Verb: history.Update, Items: []history.Item{next.Plain()}}
	t.Do(op, func(ctx context.Context, _ *history.Op) error {
		version, err := space.Replace(ctx, t.Space(next.Key), s.id, s.version, next, in[space.TxnOption](t.Open)...)
		if err == nil {
			s.item, s.version = next, version
		}
		return err
	})
}
