package spacetest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest/history"
)

// randomTxn makes the calls of a random client under a transaction, or under none. It belongs to the client's
// goroutine.
type randomTxn struct {
	*randomClient
	txn     *space.Txn // nil: none
	number  int        // in the history
	onlyKey int        // 0: all
	shared  bool       // others use it, too
	ended   bool       // as far as the client knows
	failed  bool       // the last call failed, and may have done what it should or not
	taken   []seen
	read    []seen // of what it has changed itself, how it is now
}

// sharedTxn is a transaction that others may join.
type sharedTxn struct {
	txn             *space.Txn
	number, onlyKey int
}

// transaction runs a transaction from its beginning to an end, or joins that of another client for a while.
func (c *randomClient) transaction() {
	if c.rng.IntN(5) == 0 && c.join() {
		return
	}
	t := &randomTxn{randomClient: c, number: c.randomRun.number()}
	if !c.crossKeys || c.rng.IntN(2) == 0 {
		t.onlyKey = c.key()
	}
	if c.rng.IntN(4) == 0 {
		t.beginWithTake()
	} else {
		t.begin()
	}
	if t.txn == nil {
		return
	}
	t.share()
	for range 1 + c.rng.IntN(5) {
		if t.step(); t.ended {
			return
		}
	}
	t.end()
}

// join makes some calls under the transaction of another client; false if there is none.
func (c *randomClient) join() bool {
	c.mu.Lock()
	all := c.randomRun.txns
	c.mu.Unlock()
	if len(all) == 0 {
		return false
	}
	s := all[len(all)-1-c.rng.IntN(min(3, len(all)))]
	t := &randomTxn{
		randomClient: c, txn: space.TxnOf(c.sp, s.txn.ID()), number: s.number, onlyKey: s.onlyKey,
		shared: true,
	}
	for range 1 + c.rng.IntN(3) {
		if t.step(); t.ended {
			return true
		}
	}
	if c.rng.IntN(6) == 0 {
		t.end()
	}
	return true
}

// share may let others join.
func (t *randomTxn) share() {
	if t.shared = t.rng.IntN(3) == 0; t.shared {
		t.publish()
	}
}

// publish has the transaction ended with the run, if no call ends it before.
func (t *randomTxn) publish() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.randomRun.txns = append(t.randomRun.txns, sharedTxn{t.txn, t.number, t.onlyKey})
}

// endAll ends what is still open at the end of a run: nothing is locked any more.
func (c *randomClient) endAll() {
	for _, s := range slices.Clone(c.randomRun.txns) { // all others are done
		t := &randomTxn{randomClient: c, txn: space.TxnOf(c.sp, s.txn.ID()), number: s.number}
		t.abort()
	}
}

func (t *randomTxn) begin() {
	lease := t.txnLease()
	t.do(history.Op{Verb: history.Begin}, func(*history.Op) error {
		txn, err := space.Begin(t.tb.Context(), t.sp, space.For(lease))
		t.txn = txn
		return err
	})
}

// beginWithTake begins the transaction with its first take.
func (t *randomTxn) beginWithTake() {
	lease := t.txnLease()
	t.do(history.Op{Verb: history.Take, Pattern: t.pattern(), Max: 1}, func(op *history.Op) error {
		v, txn, err := space.TakeTxn(t.tb.Context(), t.sp, example(op.Pattern), space.NoWait(), space.For(lease))
		if err == nil {
			t.txn, op.Items = txn, []history.Item{history.Item(v)}
		}
		return err
	})
}

// txnLease returns the lease of a transaction, which may be one that ends during the run.
func (t *randomTxn) txnLease() time.Duration {
	if t.rng.IntN(8) == 0 {
		return time.Duration(1+t.rng.IntN(20)) * time.Millisecond
	}
	return time.Hour
}

// do makes and records a call under the transaction.
func (t *randomTxn) do(op history.Op, call func(op *history.Op) error) {
	op.Txn = t.number
	t.log.Do(op, func(op *history.Op) {
		op.Outcome = t.outcome(call(op))
		t.ended = t.ended || op.Outcome == history.Ended
		t.failed = op.Outcome == history.Refused || op.Outcome == history.Unknown
	})
}

// in adds the option that makes a call part of the transaction, if there is one.
func in[O any](t *space.Txn, opts ...O) []O {
	if t != nil {
		opts = append(opts, any(space.In(t)).(O))
	}
	return opts
}

// step makes a random call under the transaction.
func (t *randomTxn) step() {
	switch n := t.rng.IntN(100); {
	case n < 28:
		t.write(1 + t.rng.IntN(2))
	case n < 60:
		t.find(history.Take, 1+t.rng.IntN(2))
	case n < 80:
		t.find(history.Read, 1+t.rng.IntN(2))
	case n < 85:
		t.count()
	case n < 93 && t.updates > 0 && !t.shared: // versions tell transactions apart, not those who share one
		t.update(&t.read)
	case n < 96 && !t.shared:
		t.rollback()
	case n < 98:
		time.Sleep(time.Duration(t.rng.IntN(2000)) * time.Microsecond) // so that leases end
	default:
		t.find(history.Take, 1)
	}
}

// end ends the transaction, mostly by a commit.
func (t *randomTxn) end() {
	switch n := t.rng.IntN(10); {
	case n < 5:
		t.commit(0)
	case n < 7:
		t.commit(1 + t.rng.IntN(2))
	default:
		t.abort()
	}
	if t.rng.IntN(10) == 0 && t.ended { // it must stay ended
		t.find(history.Read, 1)
		t.abort()
	}
}

func (t *randomTxn) abort() {
	t.finish(history.Op{Verb: history.Abort}, func(*history.Op) error { return t.sp.Abort(t.tb.Context(), t.txn.ID()) })
}

// commit commits the transaction and writes n items with it.
func (t *randomTxn) commit(n int) {
	op := history.Op{Verb: history.Commit, Items: t.items(n)}
	stage := space.TxnOf(t.sp, t.txn.ID())
	t.finish(op, func(op *history.Op) error {
		for _, i := range op.Items {
			if err := space.Stage(t.tb.Context(), stage, item(i)); err != nil {
				return err
			}
		}
		return stage.Commit(t.tb.Context())
	})
}

// finish is do for a call that ends the transaction.
func (t *randomTxn) finish(op history.Op, call func(op *history.Op) error) {
	t.do(op, call)
	if !t.ended && t.failed {
		t.publish()
	}
	t.ended = true
}

// rollback undoes what was done, but for one of the takes.
func (t *randomTxn) rollback() {
	op := history.Op{Verb: history.Rollback}
	var keep []space.LeaseID
	if len(t.taken) > 0 && t.rng.IntN(2) == 0 {
		kept := t.taken[t.rng.IntN(len(t.taken))]
		keep, op.Items = append(keep, kept.id), append(op.Items, kept.item)
	}
	t.do(op, func(*history.Op) error { return t.sp.Rollback(t.tb.Context(), t.txn.ID(), keep...) })
	t.read, t.taken = nil, slices.DeleteFunc(t.taken, func(s seen) bool { return !slices.Contains(keep, s.id) })
}

// items returns n new items.
func (t *randomTxn) items(n int) []history.Item {
	key := cmp.Or(t.onlyKey, t.key())
	items := make([]history.Item, n)
	for i := range items {
		items[i] = history.Item{Key: key, Color: 1 + t.rng.IntN(t.colors), N: t.randomRun.number()}
	}
	return items
}

func (t *randomTxn) write(n int) {
	op := history.Op{Verb: history.Write, Items: t.items(n)}
	vs := make([]item, n)
	for i := range vs {
		vs[i] = item(op.Items[i])
	}
	lease := t.lease()
	t.do(op, func(op *history.Op) error {
		ls, err := space.WriteAll(t.tb.Context(), t.sp, vs, in[space.WriteOption](t.txn, space.For(lease))...)
		op.Lease = lease
		for i, l := range ls {
			op.Lease = l.Granted()
			t.leases = append(t.leases, leased{l, op.Items[i]})
		}
		return err
	})
}

func (t *randomTxn) find(verb history.Verb, most int) {
	op := history.Op{Verb: verb, Pattern: t.pattern(), Max: most}
	ctx := t.tb.Context()
	q, err := space.Match(ctx, t.sp, example(op.Pattern))
	if err != nil {
		t.outcome(err)
		return
	}
	q.Max = most
	if t.txn != nil {
		q.Txn = t.txn.ID()
	}
	switch t.rng.IntN(5) {
	case 0: // a wait that may end without a match
		op.Wait = time.Duration(1+t.rng.IntN(5)) * time.Millisecond
		q.Wait = op.Wait
	case 1: // a wait that its caller may cut short
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(t.rng.IntN(3000))*time.Microsecond)
		defer cancel()
	case 2: // a wait for locks
		op.Wait = time.Duration(1+t.rng.IntN(5)) * time.Millisecond
		op.IfExists, q.IfExists, q.Wait = true, true, op.Wait
	default:
		q.NoWait = true
	}
	call := t.sp.Read
	if verb == history.Take {
		call = t.sp.Take
	}
	t.do(op, func(op *history.Op) error {
		entries, err := call(ctx, q)
		for i := range entries {
			t.found(op, &entries[i])
		}
		return err
	})
}

// found notes an entry that a call has returned.
func (t *randomTxn) found(op *history.Op, e *space.Entry) {
	v, err := space.Decode[item](*e)
	if err != nil {
		t.tb.Errorf("decode: %v", err)
	}
	op.Items = append(op.Items, history.Item(v))
	s := seen{e.ID, e.Version, history.Item(v)}
	switch {
	case op.Verb == history.Take:
		t.taken = append(t.taken, s)
	case t.txn != nil: // what was seen of it before has the same version, if the transaction itself has changed it since
		t.read = append(slices.DeleteFunc(t.read, func(o seen) bool { return o.id == s.id }), s)
	default:
		t.seen = append(t.seen[max(0, len(t.seen)-10):], s)
	}
}

func (t *randomTxn) pattern() history.Pattern {
	p := history.Pattern{Key: cmp.Or(t.onlyKey, t.key())}
	if t.onlyKey == 0 && t.crossKeys && t.rng.IntN(5) == 0 {
		p.Key = 0
	}
	if t.rng.IntN(2) == 0 {
		p.Color = 1 + t.rng.IntN(t.colors)
	}
	return p
}

func (t *randomTxn) count() {
	t.do(history.Op{Verb: history.Count, Pattern: t.pattern()}, func(op *history.Op) error {
		n, err := space.Count(t.tb.Context(), t.sp, example(op.Pattern), in[space.CountOption](t.txn)...)
		op.Number = n
		return err
	})
}

// update changes one of the items that were seen, if it is still as it was.
func (t *randomTxn) update(among *[]seen) {
	if len(*among) == 0 {
		return
	}
	s := &(*among)[len(*among)-1-t.rng.IntN(min(2, len(*among)))] // what was seen just now is probably still there
	next := s.item
	next.V++
	t.do(history.Op{Verb: history.Update, Items: []history.Item{next}}, func(*history.Op) error {
		version, err := space.Replace(t.tb.Context(), t.sp, s.id, s.version, item(next), in[space.TxnOption](t.txn)...)
		if err == nil {
			s.item, s.version = next, version
		}
		return err
	})
}
