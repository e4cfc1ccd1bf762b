package history

import "time"

// hold is a reason why others cannot have an item: a lock, or its removal.
type hold struct {
	by     *unit // nil: the end of its lease
	op     *Op
	shared bool // a read lock: the item can still be read
	lock   bool // when it ends the item may be free again
	sure   span // when it was certainly in force
	maybe  span // when it may have been in force
}

// hides reports whether h affects u, which reads or takes. A unit's own locks do not affect it, but an item it has
// taken is gone for it.
func (h *hold) hides(u *unit, take bool) bool {
	if h.by == u && u.txn != 0 {
		return h.op.Verb == Take
	}
	return take || !h.shared
}

// overlaps reports whether s and the span from a to b have more than an end in common.
func (s span) overlaps(a, b time.Duration) bool { return s.from < b && s.to > a }

// covers reports whether the span from a to b lies within s.
func (s span) covers(a, b time.Duration) bool { return s.from < a && s.to > b }

// held returns the effect on others of o, which had the item; nil if none.
func held(u *unit, o *Op, item Item) *hold {
	h := heldHere(u, o, item)
	if h != nil && o.Scattered {
		h.maybe.to = Never // another node may learn late that the transaction has ended
	}
	return h
}

// heldHere is held if all that the transaction has ends at one instant.
func heldHere(u *unit, o *Op, item Item) *hold {
	h := &hold{
		by: u, op: o, shared: o.Verb == Read, lock: true, sure: span{o.Return, u.heldBy(o)},
		maybe: span{o.Call, u.freed},
	}
	switch {
	case o.Outcome != OK, u.txn == 0 && o.Verb != Take && o.Verb != Cancel:
		return nil
	case o.Verb == Cancel: // not part of any transaction
		h.lock, h.sure.to, h.maybe.to = false, Never, Never
		return h
	}
	if r := u.undone(o, item); r != nil {
		h.sure.to, h.maybe.to = min(r.Call, u.heldBy(o)), min(r.Return, u.freed)
		return h
	}
	switch {
	case u.fate == undecided:
		h.maybe.to = Never
	case u.fate == committed && o.Verb == Take:
		h.lock, h.sure.to, h.maybe.to = false, Never, Never
	}
	return h
}

// expiry returns the end of the lease of an item that w wrote.
func expiry(w *Op) *hold {
	return &hold{op: w, sure: span{plus(w.latest, w.lease()), Never}, maybe: span{plus(w.Call, w.lease()), Never}}
}
