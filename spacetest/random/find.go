package random

import (
	"context"
	"slices"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest/history"
)

// Find reads or takes up to most items of one key and perhaps one color. It does not wait, waits for a while, or waits
// until its context ends.
func (t *Txn) Find(verb history.Verb, most int) {
	op := history.Op{Verb: verb, Pattern: t.pattern(), Max: most}
	sp := t.Space(op.Pattern.Key)
	q, err := space.Match(context.Background(), sp, Example(op.Pattern))
	if err != nil {
		t.Outcome(err)
		return
	}
	q.Max, q.Txn = most, t.id()
	impatient := false
	switch t.Rng.IntN(5) {
	case 0:
		q.Wait = UpTo(t.Rng, t.Wait)
	case 1: // for locks
		q.IfExists, q.Wait = true, UpTo(t.Rng, t.Wait)
	case 2:
		impatient = true
	default:
		q.NoWait = true
	}
	op.Wait, op.IfExists = q.Wait, q.IfExists
	call := sp.Read
	if verb == history.Take {
		call = sp.Take
	}
	t.Do(op, func(ctx context.Context, op *history.Op) error {
		if impatient {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, UpTo(t.Rng, t.Wait/2))
			defer cancel()
		}
		entries, err := call(ctx, q)
		for i := range entries {
			t.found(op, &entries[i])
		}
		return err
	})
}

// Count counts the items of one key, and perhaps one color.
func (t *Txn) Count() {
	t.Do(history.Op{Verb: history.Count, Pattern: t.pattern()}, func(ctx context.Context, op *history.Op) (err error) {
		op.Number, err = space.Count(ctx, t.Space(op.Pattern.Key), Example(op.Pattern), in[space.CountOption](t.Open)...)
		return err
	})
}

// BeginWithTake begins the transaction with its first take. Open stays nil if nothing matches.
func (t *Txn) BeginWithTake(opts ...space.TakeTxnOption) {
	op := history.Op{Verb: history.Take, Pattern: t.pattern(), Max: 1}
	t.Do(op, func(ctx context.Context, op *history.Op) error {
		v, txn, err := space.TakeTxn(ctx, t.Home, Example(op.Pattern), append(opts, space.NoWait())...)
		if err == nil {
			t.Open, op.Items = txn, []history.Item{v.Plain()}
		}
		return err
	})
}

func (t *Txn) pattern() history.Pattern {
	p := history.Pattern{Key: t.Key()}
	if t.Rng.IntN(2) == 0 {
		p.Color = 1 + t.Rng.IntN(t.Colors)
	}
	return p
}

// found records an entry that a call has returned.
func (t *Txn) found(op *history.Op, e *space.Entry) {
	v, err := space.Decode[Item](*e)
	if err != nil {
		t.Outcome(err)
	}
	op.Items = append(op.Items, v.Plain())
	s := seen{e.ID, e.Version, v}
	switch {
	case op.Verb == history.Take && t.Space(v.Key) == t.Home:
		t.taken = append(t.taken, s)
	case op.Verb == history.Take:
	case t.Open != nil: // what was seen of it before has the same version, if the transaction itself has changed it since
		t.read = append(slices.DeleteFunc(t.read, func(o seen) bool { return o.id == s.id }), s)
	default:
		t.outside = append(latest(t.outside, 10), s)
	}
}
