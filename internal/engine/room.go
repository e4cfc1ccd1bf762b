package engine

import (
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// What a commit, an abort or a write does is one instant, so its size is bounded: by the entries that a transaction may
// hold, and those that one call may write, return or take.

// size returns how many entries t holds: it has read, taken, written or changed them. Each of its waiting calls has a
// place for one.
func (t *transaction) size() int { return len(t.own) + len(t.taken) + len(t.read) + len(t.waiting) }

// vacant returns how many entries more t may hold.
func (e *Engine) vacant(t *transaction) int {
	if e.limits.TxnEntries == 0 {
		return unbounded
	}
	return e.limits.TxnEntries - t.size()
}

// roomFor returns ErrTooLarge if t may not hold n entries more.
func (e *Engine) roomFor(t *transaction, n int) error {
	if n <= e.vacant(t) {
		return nil
	}
	return call.TooManyEntries(t.size()+n, e.limits.TxnEntries)
}

// roomToLock returns ErrTooLarge if t may not lock all of the hits that it does not hold yet.
func (e *Engine) roomToLock(t *transaction, take bool, hits []hit) error {
	if len(hits) <= e.vacant(t) {
		return nil
	}
	n := 0
	for _, h := range hits {
		if !t.keeps(h, take) {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return e.roomFor(t, n)
}

// keeps reports whether t holds an entry in such a way that to read, or to take, it makes t hold no more.
func (t *transaction) keeps(h hit, take bool) bool {
	x := held{h.k, h.s, h.k.At(h.s).ID}
	if take {
		return h.k.At(h.s).State == written
	}
	return x.ownedBy(t) || x.readBy(t)
}

// placesFor returns how many entries more a waiting call may get: its transaction keeps a place for the first.
func (e *Engine) placesFor(w *Waiter) int {
	switch {
	case w.txn == nil || e.limits.TxnEntries == 0:
		return unbounded
	case w.parked && len(w.Got) == 0:
		return max(e.vacant(w.txn), 0) + 1
	}
	return e.vacant(w.txn)
}

// RoomToWait returns ErrTooLarge if a call under a transaction that is about to wait could not get what it waits for.
func (e *Engine) RoomToWait(q *call.Query) error {
	t, err := e.txnNamed(q.Txn)
	if err != nil {
		return nil // Park, or what follows, tells
	}
	return e.roomFor(t, 1)
}

// RoomToWrite returns ErrTooLarge if a transaction may not write drafts as well, and otherwise how many entries it
// would hold.
func (e *Engine) RoomToWrite(id txn.ID, drafts []call.Draft) (entries int, err error) {
	t, err := e.txnNamed(id)
	if err != nil {
		return len(drafts), nil // the write tells
	}
	size := 0
	for i := range drafts {
		size += len(drafts[i].Row)
	}
	if err := e.roomFor(t, len(drafts)); err != nil {
		return 0, err
	}
	return t.size() + len(drafts), e.affords(t, size)
}

// affords returns ErrTooLarge if t may not write size bytes more, because that is more than one group of the log should
// hold.
func (e *Engine) affords(t *transaction, size int) error {
	if limit := e.limits.TxnBytes; limit > 0 && t.bytes+size > limit {
		return fmt.Errorf("%w: the transaction would write %d bytes; at most %d are allowed",
			call.ErrTooLarge, t.bytes+size, limit)
	}
	return nil
}
