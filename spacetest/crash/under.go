//go:build linux

package crash

import (
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest/history"
	"github.com/gospaces/gospaces/spacetest/random"
)

// under is a transaction of a caller that spans both spaces. It belongs to the caller's goroutine.
type under struct {
	*random.Txn
	late  func(key int) bool // whether a commit takes effect late for what is written of a key
	apart bool               // as history.Op.Scattered
	ended bool               // as far as the caller knows
	lost  bool               // the last call found it ended, or left open what it has done
}

// longTxn is the lease of most transactions, including those that a killed client leaves open.
const longTxn = 10 * time.Second

// transaction runs a transaction; sometimes it is left open.
func (c *caller) transaction() {
	home, lease := c.Rng.IntN(len(spaceNames)), longTxn
	if c.Rng.IntN(8) == 0 {
		lease = random.UpTo(c.Rng, 300*time.Millisecond)
	}
	t := &under{apart: c.Late}
	t.late = func(key int) bool { return c.Late && (c.Space(key) != t.Home || c.Parts > 1 && spaceOf(key) == 1) }
	t.Txn = &random.Txn{Caller: c.Caller, ID: c.next(), Home: c.spaces[home], Heard: t.heard}
	t.Key = func() int { return c.keyIn(home) }
	if c.Rng.IntN(3) == 0 {
		t.BeginWithTake(space.For(lease))
	} else {
		t.Begin(space.For(lease))
	}
	if t.Open == nil {
		return
	}
	if t.Key = c.key; c.Rng.IntN(20) == 0 { // it works on what it has
		time.Sleep(upTo(c.Rng, lease/2))
	}
	for range 1 + c.Rng.IntN(5) {
		if t.Step(); t.lost {
			t.Abort()
			return
		}
	}
	switch n := c.Rng.IntN(20); {
	case n < 8:
		t.Commit(0)
	case n < 13:
		t.Commit(1 + c.Rng.IntN(2))
	case n < 18:
		t.Abort()
	case n < 19 && lease < longTxn:
		return // its lease ends it
	default:
		t.Commit(0)
	}
	if !t.ended { // it may still be open, and would be in the way of others
		t.Abort()
	}
}

// heard records how a call has ended. It tells the judge only what an end of the transaction certainly means.
func (t *under) heard(op *history.Op) {
	ended := op.Outcome == history.Ended
	op.Scattered = t.apart
	if op.Verb == history.Write || op.Verb == history.Commit && len(op.Items) > 0 {
		op.Late = t.late(op.Items[0].Key)
	}
	switch op.Verb {
	case history.Commit, history.Abort:
		t.ended = t.ended || ended || op.Outcome == history.OK
		if ended {
			op.Outcome = history.Refused // it has ended in its home; the other space may be about to learn that
		}
	default:
		if op.Verb == history.Take && t.Open == nil { // it should have begun with this
			t.begun(op)
		}
		// What a rollback of unknown outcome has kept is only known if nothing is.
		t.lost = ended || op.Verb == history.Rollback && op.Outcome == history.Unknown
		if ended {
			op.Outcome = history.Unknown // it may have locked something before its answer, and then the transaction, was lost
		}
	}
}

// begun records what became of a take that was to begin the transaction, and has not.
func (t *under) begun(op *history.Op) {
	switch op.Outcome {
	case history.None:
		op.Txn = 0
	case history.Refused:
		op.Outcome = history.Unknown // a transaction that it has begun all the same takes a moment to end
	}
}
