package spacetest

import (
	"slices"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest/history"
	"github.com/gospaces/gospaces/spacetest/random"
)

// randomTxn is a transaction of a random client. It belongs to the client's goroutine.
type randomTxn struct {
	*random.Txn
	client *randomClient
	ended  bool // as far as the client knows
	failed bool // the last call failed, and may have done what it should or not
}

// sharedTxn is a transaction that others may join.
type sharedTxn struct {
	txn *space.Txn
	id  int
	key int // 0: all
}

// under returns a client's part in a transaction.
func (c *randomClient) under(s sharedTxn) *randomTxn {
	t := &randomTxn{client: c}
	t.Txn = &random.Txn{Caller: c.Caller, ID: s.id, Home: c.sp, Key: c.anyKey, Heard: t.heard}
	if s.key != 0 {
		t.Key = func() int { return s.key }
	}
	if s.txn != nil {
		t.Open = space.TxnOf(c.sp, s.txn.ID())
	}
	return t
}

func (t *randomTxn) heard(op *history.Op) {
	t.ended = t.ended || op.Outcome == history.Ended
	t.failed = op.Outcome == history.Refused || op.Outcome == history.Unknown
}

// transaction runs a transaction from its beginning to an end, or joins that of another client for a while.
func (c *randomClient) transaction() {
	if c.Rng.IntN(5) == 0 && c.join() {
		return
	}
	s := sharedTxn{id: c.Number()}
	if !c.crossKeys || c.Rng.IntN(2) == 0 {
		s.key = c.key()
	}
	t := c.under(s)
	if c.Rng.IntN(4) == 0 {
		t.BeginWithTake(space.For(c.txnLease()))
	} else {
		t.Begin(space.For(c.txnLease()))
	}
	if t.Open == nil {
		return
	}
	s.txn = t.Open
	if t.Shared = c.Rng.IntN(3) == 0; t.Shared {
		c.publish(s)
	}
	if t.steps(1 + c.Rng.IntN(5)); !t.ended {
		t.end(s)
	}
}

// txnLease returns the lease of a transaction, which may be one that ends during the run.
func (c *randomClient) txnLease() time.Duration {
	if c.Rng.IntN(8) == 0 {
		return random.UpTo(c.Rng, 20*time.Millisecond)
	}
	return time.Hour
}

// join makes some calls under the transaction of another client; false if there is none.
func (c *randomClient) join() bool {
	c.mu.Lock()
	all := c.randomRun.txns
	c.mu.Unlock()
	if len(all) == 0 {
		return false
	}
	s := all[len(all)-1-c.Rng.IntN(min(3, len(all)))]
	t := c.under(s)
	t.Shared = true
	if t.steps(1 + c.Rng.IntN(3)); !t.ended && c.Rng.IntN(6) == 0 {
		t.end(s)
	}
	return true
}

// publish lets others join the transaction, and has it ended with the run, if no call ends it before.
func (r *randomRun) publish(s sharedTxn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.txns = append(r.txns, s)
}

// endAll aborts the transactions that are open at the end of a run, so that nothing is locked any more.
func (c *randomClient) endAll() {
	for _, s := range slices.Clone(c.randomRun.txns) { // all others are done
		c.under(s).finish(s, (*random.Txn).Abort)
	}
}

// steps makes n random calls under the transaction, or fewer if it ends.
func (t *randomTxn) steps(n int) {
	for ; n > 0 && !t.ended; n-- {
		t.Step()
	}
}

// end ends the transaction, mostly by a commit.
func (t *randomTxn) end(s sharedTxn) {
	switch n := t.Rng.IntN(10); {
	case n < 5:
		t.finish(s, func(t *random.Txn) { t.Commit(0) })
	case n < 7:
		t.finish(s, func(t *random.Txn) { t.Commit(1 + t.Rng.IntN(2)) })
	default:
		t.finish(s, (*random.Txn).Abort)
	}
	if t.Rng.IntN(10) == 0 { // it must stay ended
		t.Find(history.Read, 1)
		t.finish(s, (*random.Txn).Abort)
	}
}

// finish makes a call that ends the transaction. If it fails, the transaction is ended with the run.
func (t *randomTxn) finish(s sharedTxn, end func(t *random.Txn)) {
	if end(t.Txn); !t.ended && t.failed {
		t.client.publish(s)
	}
	t.ended = true
}
