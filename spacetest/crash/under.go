//go:build linux

package crash

import (
	"context"
	"slices"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest/history"
)

// under makes the calls of a caller under a transaction that spans both spaces, or without one. It belongs to the
// caller's goroutine.
type under struct {
	*caller
	txn    *space.Txn // nil: none
	number int        // in the history
	home   int        // number of the space in which it began
	only   bool       // it uses no other space, in a transaction or not
	ended  bool       // as far as the caller knows
	lost   bool       // the last call found it ended, or left open what it has done
	taken  []seen     // in the home space
	read   []seen
}

// longTxn is the lease of most transactions, including those that a killed client leaves open.
const longTxn = 10 * time.Second

// transaction runs a transaction; sometimes it is left open.
func (c *caller) transaction() {
	t := &under{caller: c, number: c.next(), home: c.rng.IntN(len(spaceNames))}
	lease := longTxn
	if c.rng.IntN(8) == 0 {
		lease = 1 + upTo(c.rng, 300*time.Millisecond)
	}
	t.begin(lease)
	if t.txn == nil {
		return
	}
	for range 1 + c.rng.IntN(5) {
		if t.step(); t.lost {
			t.abort()
			return
		}
	}
	switch n := c.rng.IntN(20); {
	case n < 8:
		t.commit(0)
	case n < 13:
		t.commit(1 + c.rng.IntN(2))
	case n < 18:
		t.abort()
	case n < 19 && lease < longTxn:
		return // its lease ends it
	default:
		t.commit(0)
	}
	if !t.ended { // it may still be open, and would be in the way of others
		t.abort()
	}
}

func (t *under) begin(lease time.Duration) {
	t.make(history.Op{Verb: history.Begin}, func(ctx context.Context, _ *history.Op) error {
		txn, err := space.Begin(ctx, t.spaces[t.home], space.For(lease))
		t.txn = txn
		return err
	})
}

// key returns a random key of the lane; in the home space, if the transaction may have no other.
func (t *under) key() int {
	key := t.caller.key()
	for (t.only || t.Apart && t.txn != nil) && spaceOf(key) != t.home {
		key = t.caller.key()
	}
	return key
}

// make makes and records a call under the transaction.
func (t *under) make(op history.Op, call func(ctx context.Context, op *history.Op) error) {
	op.Txn = t.number
	t.do(op, func(op *history.Op) {
		ctx, cancel := t.context()
		defer cancel()
		op.Outcome = t.outcome(call(ctx, op))
		switch op.Verb {
		case history.Commit, history.Abort:
			t.ended = t.ended || op.Outcome == history.OK || op.Outcome == history.Ended
			if op.Outcome == history.Ended {
				op.Outcome = history.Refused // it has ended in its home; the other space may be about to learn that
			}
		default:
			if t.lost = op.Outcome == history.Ended; t.lost {
				op.Outcome = history.Unknown // it may have locked something before its answer, and then the transaction, was lost
			}
			// What a rollback of unknown outcome has kept is only known if nothing is.
			t.lost = t.lost || op.Verb == history.Rollback && op.Outcome == history.Unknown
		}
	})
}

// within adds the option that makes a call part of the transaction, if there is one.
func within[O any](t *space.Txn, opts ...O) []O {
	if t != nil {
		opts = append(opts, any(space.In(t)).(O))
	}
	return opts
}

// step makes a random call under the transaction.
func (t *under) step() {
	switch n := t.rng.IntN(100); {
	case n < 30:
		t.write(1 + t.rng.IntN(2))
	case n < 62:
		t.find(history.Take, 1+t.rng.IntN(2))
	case n < 80:
		t.find(history.Read, 1+t.rng.IntN(2))
	case n < 84:
		t.count()
	case n < 93:
		t.update(&t.read)
	case n < 96:
		t.rollback()
	default:
		time.Sleep(upTo(t.rng, 100*time.Millisecond)) // while it holds its locks
	}
}

func (t *under) abort() {
	t.make(history.Op{Verb: history.Abort}, func(ctx context.Context, _ *history.Op) error {
		return t.spaces[t.home].Abort(ctx, t.txn.ID())
	})
}

// commit commits the transaction and writes n items with it.
func (t *under) commit(n int) {
	op := history.Op{Verb: history.Commit, Items: t.items(n, func(key int) bool { return spaceOf(key) == t.home })}
	stage := space.TxnOf(t.spaces[t.home], t.txn.ID())
	t.make(op, func(ctx context.Context, op *history.Op) error {
		for _, i := range op.Items {
			if err := space.Stage(ctx, stage, itemOf(i, pad(t.rng, 200))); err != nil {
				return err
			}
		}
		return stage.Commit(ctx)
	})
}

// rollback undoes the changes in both spaces, except for one of the takes.
func (t *under) rollback() {
	op := history.Op{Verb: history.Rollback}
	var keep []space.LeaseID
	if len(t.taken) > 0 && t.rng.IntN(2) == 0 {
		kept := t.taken[t.rng.IntN(len(t.taken))]
		keep, op.Items = append(keep, kept.id), append(op.Items, kept.item.plain())
	}
	t.make(op, func(ctx context.Context, _ *history.Op) error {
		return t.spaces[t.home].Rollback(ctx, t.txn.ID(), keep...)
	})
	t.read, t.taken = nil, slices.DeleteFunc(t.taken, func(s seen) bool { return !slices.Contains(keep, s.id) })
}

// items returns n new items of one good key.
func (t *under) items(n int, good func(key int) bool) []history.Item {
	key := t.key()
	for !good(key) {
		key = t.key()
	}
	items := make([]history.Item, n)
	for i := range items {
		items[i] = history.Item{Key: key, Color: 1 + t.rng.IntN(colors), N: t.next()}
	}
	return items
}

// longestLease is the longest finite lease of an item.
const longestLease = time.Second

func (t *under) write(n int) {
	op := history.Op{Verb: history.Write, Items: t.items(n, func(int) bool { return true })}
	lease := space.Forever
	if t.rng.IntN(6) == 0 {
		lease = 1 + upTo(t.rng, longestLease)
		op.Lease = lease
	}
	vs := make([]item, n)
	for i := range vs {
		vs[i] = itemOf(op.Items[i], pad(t.rng, 1000))
	}
	t.make(op, func(ctx context.Context, op *history.Op) error {
		ls, err := space.WriteAll(ctx, t.spaces[spaceOf(op.Items[0].Key)], vs,
			within[space.WriteOption](t.txn, space.For(lease))...)
		for i, l := range ls {
			t.leases = append(t.leases[max(0, len(t.leases)-20):], leased{l, op.Items[i]})
		}
		return err
	})
}

func (t *under) find(verb history.Verb, most int) {
	op := history.Op{Verb: verb, Pattern: history.Pattern{Key: t.key()}, Max: most}
	if t.rng.IntN(2) == 0 {
		op.Pattern.Color = 1 + t.rng.IntN(colors)
	}
	sp := t.spaces[spaceOf(op.Pattern.Key)]
	q, err := space.Match(context.Background(), sp, item{Key: op.Pattern.Key, Color: op.Pattern.Color})
	if err != nil {
		t.outcome(err)
		return
	}
	q.Max = most
	if t.txn != nil {
		q.Txn = t.txn.ID()
	}
	switch t.rng.IntN(4) {
	case 0: // a wait that may end without a match
		q.Wait = 1 + upTo(t.rng, 50*time.Millisecond)
	case 1: // a wait for locks
		op.IfExists, q.IfExists, q.Wait = true, true, 1+upTo(t.rng, 50*time.Millisecond)
	default:
		q.NoWait = true
	}
	op.Wait = q.Wait
	call := sp.Read
	if verb == history.Take {
		call = sp.Take
	}
	t.make(op, func(ctx context.Context, op *history.Op) error {
		entries, err := call(ctx, q)
		for i := range entries {
			t.found(op, &entries[i])
		}
		return err
	})
}

// found records an entry returned by a call.
func (t *under) found(op *history.Op, e *space.Entry) {
	v, err := space.Decode[item](*e)
	if err != nil {
		t.complain("decode: %v", err)
	}
	op.Items = append(op.Items, v.plain())
	s := seen{e.ID, e.Version, v}
	switch {
	case op.Verb == history.Take:
		if spaceOf(v.Key) == t.home {
			t.taken = append(t.taken, s)
		}
	case t.txn != nil:
		t.read = append(t.read, s)
	default:
		t.seen = append(t.seen[max(0, len(t.seen)-10):], s)
	}
}

func (t *under) count() {
	op := history.Op{Verb: history.Count, Pattern: history.Pattern{Key: t.key()}}
	t.make(op, func(ctx context.Context, op *history.Op) error {
		n, err := space.Count(ctx, t.spaces[spaceOf(op.Pattern.Key)], item{Key: op.Pattern.Key},
			within[space.CountOption](t.txn)...)
		op.Number = n
		return err
	})
}

// update changes one of the entries that were seen, if it is unchanged.
func (t *under) update(among *[]seen) {
	if len(*among) == 0 {
		return
	}
	s := &(*among)[len(*among)-1-t.rng.IntN(min(2, len(*among)))] // an entry that was seen just now probably still exists
	next := s.item
	next.V++
	t.make(history.Op{Verb: history.Update, Items: []history.Item{next.plain()}},
		func(ctx context.Context, _ *history.Op) error {
			version, err := space.Replace(ctx, t.spaces[spaceOf(next.Key)], s.id, s.version, next,
				within[space.TxnOption](t.txn)...)
			if err == nil {
				s.item, s.version = next, version
			}
			return err
		})
}
