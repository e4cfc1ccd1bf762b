package engine

import (
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/store"
	"github.com/gospaces/gospaces/template"
)

// lock names the transactions that have locked an entry. Free and delayed entries have no lock.
type lock struct {
	s       slot
	at      int            // place in kind.locked
	owner   *transaction   // of an exclusive lock; nil for a read lock
	readers []*transaction // of a read lock
	waiters []*Waiter      // IfExists calls that wait for the end of the lock

	// The entry before its owner changed it.
	oldRow  store.Ref
	oldSize uint32

	staged bool  // the entry was written under a transaction that has not committed
	logged bool  // of a take: the log knows it
	since  int64 // when the entry was taken

	visible int64 // when the entry becomes visible, if its owner wrote it with a delay or deferred it
	put     bool  // the entry was deferred: the commit of the take puts it back
}

// putAt returns when a deferred entry becomes visible, and 0 for any other.
func (l *lock) putAt() int64 {
	if !l.put {
		return 0
	}
	return max(l.visible, 1)
}

// held names an entry that a transaction has locked. The entry may be gone, and its slot in use by another.
type held struct {
	k  *kind
	s  slot
	id uint64
}

// there reports whether the entry is still in the space.
func (h held) there() bool { return h.s <= h.k.Top() && h.k.At(h.s).ID == h.id }

// ownedBy reports whether the entry is there and t has written or changed it.
func (h held) ownedBy(t *transaction) bool {
	if !h.there() {
		return false
	}
	st := h.k.At(h.s).State
	return (st == written || st == changed) && h.k.locks[h.s].owner == t
}

// takenBy reports whether the entry is there and t has taken it.
func (h held) takenBy(t *transaction) bool {
	return h.there() && h.k.At(h.s).State == taken && h.k.locks[h.s].owner == t
}

// readBy reports whether the entry is there and t has a read lock on it.
func (h held) readBy(t *transaction) bool {
	return h.there() && h.k.At(h.s).State == shared && slices.Contains(h.k.locks[h.s].readers, t)
}

// availableTo reports whether a read, or a take, under t may have the entry in slot s; t is nil for no transaction.
func (k *kind) availableTo(t *transaction, s slot, take bool) bool {
	switch k.At(s).State {
	case free:
		return true
	case shared:
		return !take || t != nil && slices.Equal(k.locks[s].readers, []*transaction{t})
	case written, changed:
		l := k.locks[s]
		return t != nil && l.owner == t && l.visible == 0
	}
	return false
}

// contendedBy reports whether the entry in slot s is not available to t because others have locked it.
func (k *kind) contendedBy(t *transaction, s slot) bool {
	switch k.At(s).State {
	case free, delayed:
		return false
	case shared:
		return true
	case written:
		if k.locks[s].visible != 0 {
			return false
		}
	}
	return k.locks[s].owner != t
}

// share gives t a read lock on an entry.
func (e *Engine) share(t *transaction, k *kind, s slot) {
	switch k.At(s).State {
	case free:
		k.Free.Remove(s)
		l := k.lock(e, s)
		l.readers = append(l.readers, t)
		k.Shared.Insert(s)
	case shared:
		l := k.locks[s]
		if slices.Contains(l.readers, t) {
			return
		}
		l.readers = append(l.readers, t)
	default:
		return // its own
	}
	t.read = append(t.read, held{k, s, k.At(s).ID})
	e.spoil(t)
	e.suspect(t)
}

// seize gives t a take lock on an entry. An entry that t wrote itself is removed.
func (e *Engine) seize(t *transaction, k *kind, s slot) {
	e.keepImage(k, s)
	h := held{k, s, k.At(s).ID}
	before := k.At(s).State
	switch before {
	case free:
		k.Free.Remove(s)
		k.lock(e, s).owner = t
	case shared:
		k.Shared.Remove(s)
		l := k.locks[s]
		l.owner, l.readers = t, nil
		if slices.ContainsFunc(l.waiters, func(w *Waiter) bool { return w.txn == t }) {
			e.promoted = append(e.promoted, l) // calls of t itself do not wait for an entry that t has taken
		}
	case written:
		e.vanish(h)
		return
	case changed:
		e.restore(h)
	}
	k.At(s).State = taken
	t.taken = append(t.taken, h)
	e.hold(t, h)
	e.suspect(t)
	if before == changed {
		e.recheck(k.locks[s]) // calls that waited for the new fields do so in vain
	}
}

// vanish removes, without a record, an entry that was never visible to others.
func (e *Engine) vanish(h held) {
	l := h.k.unlock(h.s)
	h.k.delete(e, h.s)
	e.settled(l)
}

// lock creates the lock of an entry.
func (k *kind) lock(e *Engine, s slot) *lock {
	var l *lock
	if n := len(e.spareLocks); n > 0 {
		l, e.spareLocks = e.spareLocks[n-1], e.spareLocks[:n-1]
	} else {
		l = new(lock)
	}
	l.s, l.at = s, len(k.locked)
	k.locks[s] = l
	k.locked = append(k.locked, l)
	return l
}

// unlock removes and returns the lock of an entry, if any. The caller must offer what it hid, and then call settled.
func (k *kind) unlock(s slot) *lock {
	l := k.locks[s]
	if l == nil {
		return nil
	}
	if l.logged {
		l.owner.holds--
	}
	if l.staged {
		k.staged--
	}
	delete(k.locks, s)
	last := k.locked[len(k.locked)-1]
	k.locked[l.at], last.at = last, l.at
	k.locked[len(k.locked)-1] = nil
	k.locked = k.locked[:len(k.locked)-1]
	return l
}

// restore gives a changed entry its old fields. It stays locked.
func (e *Engine) restore(h held) {
	l, en := h.k.locks[h.s], h.k.At(h.s)
	h.k.ResetRow(h.s, l.oldRow, l.oldSize)
	en.Version--
	l.oldRow, l.oldSize = 0, 0
}

// oldRow returns the fields of a changed entry before the change.
func (k *kind) oldRow(e *Engine, l *lock) template.Row { return e.store.Row(l.oldRow, l.oldSize) }

// settled follows the end of a lock, after the entry was removed or offered to the waiting calls.
func (e *Engine) settled(l *lock) {
	if l == nil {
		return
	}
	e.recheck(l)
	if len(e.spareLocks) < maxSpareLocks {
		clear(l.readers)
		clear(l.waiters)
		*l = lock{readers: l.readers[:0], waiters: l.waiters[:0]}
		e.spareLocks = append(e.spareLocks, l)
	}
}

// recheck follows the end of a lock, or a change of the entry's fields: the calls that wait for it continue to wait,
// for this lock or another, or end because no match is left.
func (e *Engine) recheck(l *lock) {
	e.letGo = true
	if len(l.waiters) == 0 {
		return
	}
	waiters := l.waiters
	l.waiters = nil
	for _, w := range waiters {
		if w.parked && !e.contend(w) {
			e.end(w, call.ErrNoMatch)
		}
	}
}

// maxSpareLocks is the number of locks kept for reuse.
const maxSpareLocks = 1024

// contend makes a call wait for one of the locks on its matches; it returns false if there is none.
func (e *Engine) contend(w *Waiter) bool {
	found := false
	e.contention(w.Query, w.txn, func(l *lock) bool {
		if w.brief && !l.reserved() {
			return true
		}
		l.wait(w)
		found = true
		return false
	})
	return found
}

// wait adds w to the calls that wait for l.
func (l *lock) wait(w *Waiter) {
	if len(l.waiters) == cap(l.waiters) {
		l.waiters = slices.DeleteFunc(l.waiters, func(o *Waiter) bool { return !o.parked })
	}
	l.waiters = append(l.waiters, w)
}

// contention calls f for each lock of others that keeps a match of q from t, until f returns false.
func (e *Engine) contention(q *call.Query, t *transaction, f func(*lock) bool) {
	for _, k := range e.scope(q) {
		if len(k.locks) == 0 {
			continue
		}
		conds, _ := e.condsOf(q, k)
		for _, l := range k.locked {
			s := l.s
			if q.ID != 0 && k.At(s).ID != q.ID || k.availableTo(t, s, q.Exclusive()) || !k.contendedBy(t, s) {
				continue
			}
			match := matchAny(conds, k.Row(s)) || k.At(s).State == changed && matchAny(conds, k.oldRow(e, l))
			if match && k.alive(e, s) && !f(l) {
				return
			}
		}
	}
}
