package engine

import (
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// A commit, an abort or a write takes effect in one instant, so its size is limited: by the entries that a transaction
// may hold, and those that one call may write, return or take.

// size returns the number of entries that t holds: read, taken, written or changed. Each of its waiting calls reserves
// one.
func (t *transaction) size() int { return len(t.own) + len(t.taken) + len(t.read) + len(t.waiting) }

// vacant returns how many more entries t may hold.
func (e *Engine) vacant(t *transaction) int {
	if e.limits.TxnEntries == 0 {
		return unbounded
	}
	return e.limits.TxnEntries - t.size()
}

// roomFor returns ErrTooLarge if t may not hold n more entries.
func (e *Engine) roomFor(t *transaction, n int) error {
	if n <= e.vacant(t) {
		return nil
	}
	return call.TooManyEntries(t.size()+n, e.limits.TxnEntries)
}

// roomToLock returns ErrTooLarge if t may not lock all of the hits.
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

// keeps reports whether reading, or taking, h leaves the number of entries that t holds unchanged.
func (t *transaction) keeps(h hit, take bool) bool {
	x := held{h.k, h.s, h.k.At(h.s).ID}
	if take {
		return h.k.At(h.s).State == written
	}
	return x.ownedBy(t) || x.readBy(t)
}

// placesFor returns how many more entries a waiting call may get: its transaction reserves one for the first.
func (e *Engine) placesFor(w *Waiter) int {
	switch {
	case w.txn == nil || e.limits.TxnEntries == 0:
		return unbounded
	case w.parked && len(w.Got) == 0:
		return max(e.vacant(w.txn), 0) + 1
	}
	return e.vacant(w.txn)
}

// RoomToWait returns ErrTooLarge if a call that is about to wait under a transaction could not get an entry.
func (e *Engine) RoomToWait(q *call.Query) error {
	t, err := e.txnNamed(q.Txn)
	if err != nil {
		return nil // reported by Park, or by what follows it
	}
	return e.roomFor(t, 1)
}

// RoomToWrite returns the number of entries that a transaction would hold after writing drafts, or ErrTooLarge if it
// may not write them.
func (e *Engine) RoomToWrite(id txn.ID, drafts []call.Draft) (entries int, err error) {
	t, err := e.txnNamed(id)
	if err != nil {
		return len(drafts), nil // reported by the write
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

// affords returns ErrTooLarge if t may not write size more bytes, since a group of the log should not hold more.
func (e *Engine) affords(t *transaction, size int) error {
	if limit := e.limits.TxnBytes; limit > 0 && t.bytes+size > limit {
		return fmt.Errorf("%w: the transaction would write %d bytes; at most %d are allowed",
			call.ErrTooLarge, t.bytes+size, limit)
	}
	return nil
}
