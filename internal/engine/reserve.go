package engine

import (
	"slices"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
)

// A call that waits in several partitions has what it finds reserved in each, and then takes one. A reservation is a
// transaction of its own with a read lock on the entry: others can read the entry, and none can take it. It is in
// memory only, and ends after a second. It is not to be noticed: no event tells of it, a take that does not wait waits
// for its end if it finds nothing else, and a call that names the entry disregards it. So the take of the reserved
// entry is an ordinary one, by its identity.

// reservationLease is how long a reservation lasts at most.
const reservationLease = int64(time.Second)

// reserve reserves an entry that was found for a call. It returns the number of the reservation; 0 if the entry is not
// free but the call's own: others cannot have it anyway.
func (e *Engine) reserve(k *kind, s slot) uint64 {
	if k.At(s).State != free {
		return 0
	}
	t, _ := e.beginTxn(reservationLease, call.Request{}, "")
	t.reserves = true
	e.reservations++
	e.share(t, k, s)
	return t.id
}

// Release ends a reservation, if it has not ended yet.
func (e *Engine) Release(now int64, number uint64) {
	e.begin(now)
	if t := e.txns[number]; t != nil && t.reserves {
		e.abort(t, call.ErrTxnEnded, record.Cancelled)
		e.settle()
	}
}

// redeem ends the reservations of an entry for a call that names it, and reports whether there were any. The caller
// must call redeemed once the call has had the entry, or not.
func (e *Engine) redeem(id uint64) bool {
	if e.reservations == 0 {
		return false
	}
	p, ok := e.store.Find(id)
	if !ok {
		return false
	}
	l := e.kinds[p.Kind-1].locks[p.Slot]
	if l == nil || !l.reserved() {
		return false
	}
	for _, t := range slices.Clone(l.readers) {
		if t.reserves {
			e.close(t, call.ErrTxnEnded)
			e.unshare(t)
		}
	}
	return true
}

// redeemed offers what a redeemed reservation has left to others.
func (e *Engine) redeemed() {
	e.offerPending()
	e.settle()
}

// reserved reports whether a reservation is among the readers of an entry.
func (l *lock) reserved() bool {
	return slices.ContainsFunc(l.readers, func(t *transaction) bool { return t.reserves })
}

// Reserved reports whether a reservation keeps a match from q, which has found none: ParkBriefly makes it wait for the
// end.
func (e *Engine) Reserved(q *call.Query) bool {
	if e.reservations == 0 || !q.Exclusive() {
		return false
	}
	t, _ := e.under(q.Txn) // checked by Find
	found := false
	e.contention(q, t, func(l *lock) bool {
		found = l.reserved()
		return !found
	})
	return found
}
