package engine

import (
	"cmp"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/txn"
)

// pending is the work left for an entry after a transaction has released all of its locks: offer the entry to waiting
// calls, if it still exists, and handle the calls that waited for the end of its lock.
type pending struct {
	held
	to    audience
	lock  *lock
	order uint64
}

// leave records the work left for h, whose lock was l, or nil.
func (e *Engine) leave(h held, to audience, l *lock) {
	e.pending = append(e.pending, pending{h, to, l, h.k.At(h.s).Order})
}

// commit applies the effects of t.
func (e *Engine) commit(t *transaction) {
	e.close(t, call.ErrTxnEnded)
	e.unshare(t)
	e.Log = slices.Grow(e.Log, t.bytes)
	for _, h := range t.own {
		if h.ownedBy(t) {
			e.commitOwn(h)
		}
	}
	for _, h := range t.taken {
		if h.takenBy(t) {
			e.commitTake(h)
		}
	}
	e.offerPending()
}

// abort undoes t; its waiting calls end with why, and the entries it held are released with the given reason.
func (e *Engine) abort(t *transaction, why error, reason record.Reason) {
	e.close(t, why)
	if len(t.participants) > 0 {
		e.Dissolved = append(e.Dissolved, Decision{t.id, txn.Addresses(t.participants)})
	}
	if !t.name.IsZero() && why != call.ErrTxnEnded {
		e.Doomed = append(e.Doomed, t.name)
	}
	e.undo(t, nil, reason)
}

// undo undoes everything done under t, except for the takes of the entries in keep; the others are released with the
// given reason. It goes backwards: the links of a removed entry name its neighbours at that time, which are back in
// place when its turn comes.
func (e *Engine) undo(t *transaction, keep []uint64, reason record.Reason) {
	e.unshare(t)
	for _, h := range slices.Backward(t.own) {
		if !h.ownedBy(t) {
			continue
		}
		e.keepImage(h.k, h.s)
		if h.k.At(h.s).State == changed {
			e.restore(h)
			e.release(h, again.butTo(t))
			continue
		}
		l := h.k.unlock(h.s)
		e.leave(h, audience{}, l)
		h.k.delete(e, h.s)
	}
	slices.Sort(keep)
	var kept []held
	for _, h := range slices.Backward(t.taken) {
		switch {
		case !h.takenBy(t):
		case among(keep, h.id):
			if l := h.k.locks[h.s]; l.put {
				e.keepImage(h.k, h.s)
				l.put, l.visible = false, 0
				e.recordHold(h)
			}
			kept = append(kept, h)
		default:
			e.keepImage(h.k, h.s)
			e.recordRelease(h, reason)
			e.release(h, again)
		}
	}
	slices.Reverse(kept)
	t.own, t.taken, t.bytes = nil, kept, 0
	e.offerPending()
}

// among reports whether an identity is one of ids, which are sorted.
func among(ids []uint64, id uint64) bool {
	_, found := slices.BinarySearch(ids, id)
	return found
}

// close removes a transaction that is about to be committed or aborted: its waiting calls end with why, and its
// registrations end.
func (e *Engine) close(t *transaction, why error) {
	if t.prepared {
		delete(e.doubtful, t)
		e.change()
		e.Log = record.AppendID(e.Log, record.Settle, t.id)
	}
	e.unfileTxn(t)
	delete(e.txns, t.id)
	if t.reserves {
		e.reservations--
	}
	if !t.name.IsZero() {
		delete(e.branches, t.name)
	}
	for _, w := range t.calls() {
		e.end(w, why)
	}
	for _, r := range t.registrations {
		if e.registrations[r.id] == r {
			e.forget(r)
		}
	}
}

// release frees a locked entry, in its old place.
func (e *Engine) release(h held, to audience) {
	l := h.k.unlock(h.s)
	h.k.Free.Insert(h.s)
	e.leave(h, to, l)
}

// unshare drops the read locks of t. No registration is told of the end of a reservation.
func (e *Engine) unshare(t *transaction) {
	to := unlocked
	if t.reserves {
		to = audience{}
	}
	for _, h := range slices.Backward(t.read) {
		if !h.readBy(t) {
			continue
		}
		l := h.k.locks[h.s]
		e.letGo = true
		l.readers = slices.DeleteFunc(l.readers, func(o *transaction) bool { return o == t })
		if len(l.readers) == 0 {
			h.k.Shared.Remove(h.s)
			e.release(h, to.butTo(t))
		} else if len(l.readers) == 1 {
			e.leave(h, to.onlyTo(l.readers[0]), nil) // its only reader may take it now
		}
	}
	t.read = nil
}

// commitOwn makes an entry that was written or changed visible.
func (e *Engine) commitOwn(h held) {
	k, en := h.k, h.k.At(h.s)
	e.keepImage(k, h.s)
	l := k.locks[h.s]
	switch {
	case en.State == changed:
		e.store.Discard(l.oldRow)
		e.Changes.Add(h.id)
		e.Log = record.AppendChange(e.Log, h.id, k.id, en.Expires, k.Row(h.s))
		en.LSN, k.changed, k.removed = e.lsn, e.lsn, e.lsn
		e.release(h, changedUnder)
	case !k.alive(e, h.s):
		k.unlock(h.s)
		e.leave(h, audience{}, l)
		k.delete(e, h.s)
	case l.visible > e.now:
		e.Changes.Add(h.id)
		e.Log = record.AppendPutLater(e.Log, h.id, k.id, en.Expires, l.visible, k.Row(h.s))
		k.unlock(h.s)
		e.delay(h, l.visible)
		e.leave(h, audience{}, l)
	default:
		e.Changes.Add(h.id)
		e.Log = record.AppendPut(e.Log, h.id, k.id, en.Expires, k.Row(h.s))
		k.unlock(h.s)
		k.publish(e, h.s)
		e.leave(h, fresh, l)
	}
}

// commitTake removes a taken entry, or puts it back if it was deferred.
func (e *Engine) commitTake(h held) {
	k := h.k
	e.keepImage(k, h.s)
	l := k.unlock(h.s)
	e.leave(h, audience{}, l)
	switch {
	case !k.alive(e, h.s): // its lease ended before
		e.drop(k, h.s, record.Expired)
	case l.put:
		e.shift(k, h.s, e.now, max(e.now, l.visible))
		k.At(h.s).Attempts++
		e.Changes.Add(h.id)
		e.Log = record.AppendDefer(e.Log, h.id, k.id, k.At(h.s).Attempts, l.visible)
		delete(k.deaths, h.s)
		k.At(h.s).LSN, k.changed, k.removed = e.lsn, e.lsn, e.lsn
		e.delay(h, l.visible)
		if l.visible <= e.now { // the delay is over, or was zero
			e.Log = record.AppendReveal(e.Log, h.id, k.id)
			e.appear(k, h.s)
			e.leave(h, again, nil)
		}
	default:
		e.drop(k, h.s, record.Taken)
	}
}

// offerPending offers released entries to waiting calls, oldest first, and then handles the calls that waited for the
// locks.
func (e *Engine) offerPending() {
	todo := e.pending
	e.pending = nil
	slices.SortStableFunc(todo, func(a, b pending) int { return cmp.Compare(a.order, b.order) })
	for _, p := range todo {
		if p.to != (audience{}) && p.there() && p.k.alive(e, p.s) {
			e.offer(p.k, p.s, p.to)
		}
	}
	e.deal()
	for _, p := range todo {
		e.settled(p.lock)
	}
	clear(todo)
	if e.pending == nil {
		e.pending = todo[:0]
	}
}
