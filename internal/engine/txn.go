package engine

import (
	"fmt"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/txn"
)

// transaction is an open transaction. Until it prepares or commits, the log knows only its takes (hold.go).
type transaction struct {
	id       uint64 // rises: the largest is the youngest
	name     txn.ID // the foreign transaction of which this is a branch, or the zero ID
	expires  int64
	prepared bool

	by         call.Request // the call that began it
	holder     string       // name of the client that began it
	holds      int          // entries whose take the log knows
	volatile   bool         // it has done more than take, and does not survive a restart
	volatileAt uint64       // LSN of the record that makes it volatile
	reserves   bool         // it is a reservation
	restored   bool         // it has survived a restart, and its holder was not heard from since

	// The entries it has locked. Those that are gone, or in another state, are skipped.
	own   []held // written or changed
	taken []held
	read  []held
	bytes int     // of the rows it has written
	first [2]held // initial memory of own and taken

	filed      bool         // under tick
	tick       int64        // in which its lease ends
	next, prev *transaction // filed under the same tick

	imaged uint16 // the last image that was belongs to
	was    terms  // at the moment of that image

	waiting       map[*Waiter]struct{} // waiting calls
	registrations []*registration      // registrations that end with it
	participants  []txn.Branch         // its branches
}

// Begin begins a transaction with a lease, for a client that calls itself holder. Result: Grants (one), whose ID is the
// transaction's number. It fails with ErrInvalidArgument for a negative lease.
func (e *Engine) Begin(now, lease int64, by call.Request, holder string) call.Result {
	e.begin(now)
	if lease < 0 {
		return failed(fmt.Errorf("%w: negative lease", call.ErrInvalidArgument))
	}
	t, granted := e.beginTxn(lease, by, holder)
	e.grants = append(e.grants, call.Grant{ID: t.id, Granted: granted})
	return call.Result{Grants: e.grants, Depends: e.reservedAt}
}

func (e *Engine) beginTxn(lease int64, by call.Request, holder string) (t *transaction, granted int64) {
	t = &transaction{id: e.txnID(), by: by, holder: holder}
	t.own, t.taken = t.first[0:0:1], t.first[1:1:2]
	e.txns[t.id] = t
	e.setTxnExpiry(t, e.until(capped(lease, e.limits.TxnLease)))
	return t, e.granted(t.expires)
}

// setTxnExpiry files t under the tick in which its lease ends. There are many transactions, and few last that long, so
// t is in a linked list and unfileTxn removes it.
func (e *Engine) setTxnExpiry(t *transaction, expires int64) {
	e.unfileTxn(t)
	e.keepTerms(t)
	if t.expires = expires; expires == call.Forever {
		return
	}
	t.filed, t.tick = true, expires>>tickShift
	if t.next = e.txnTicks[t.tick]; t.next != nil {
		t.next.prev = t
	} else {
		e.deadlines.push(deadline{tick: t.tick})
	}
	e.txnTicks[t.tick] = t
}

// unfileTxn removes t from the list of its tick, if it is in one.
func (e *Engine) unfileTxn(t *transaction) {
	if !t.filed {
		return
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	switch {
	case t.prev != nil:
		t.prev.next = t.next
	case t.next != nil:
		e.txnTicks[t.tick] = t.next
	default:
		delete(e.txnTicks, t.tick)
	}
	t.filed, t.next, t.prev = false, nil, nil
}

// ErrNoBranch is returned for a transaction of another space that has no branch here yet; Join creates it.
var ErrNoBranch = fmt.Errorf("%w: it has no branch in this space", call.ErrTxnEnded)

// under returns the transaction under which a call is made, nil for none. It returns ErrTxnEnded or ErrNoBranch.
func (e *Engine) under(id txn.ID) (*transaction, error) {
	if id.IsZero() {
		return nil, nil
	}
	return e.active(id)
}

// active returns an open transaction that is not prepared.
func (e *Engine) active(id txn.ID) (*transaction, error) {
	t, err := e.transaction(id)
	if err == nil && t.prepared {
		return nil, fmt.Errorf("%w: %v is prepared", call.ErrTxnEnded, id)
	}
	return t, err
}

// transaction returns an open transaction. It ends one whose lease is over, so it must only be used by calls.
func (e *Engine) transaction(id txn.ID) (*transaction, error) {
	t, err := e.txnNamed(id)
	if err == nil && t.expires <= e.now && !t.prepared {
		e.lapse(t)
		return nil, call.ErrTxnEnded
	}
	return t, err
}

// txnNamed returns the transaction that id names, even if its lease is over, and changes nothing.
func (e *Engine) txnNamed(id txn.ID) (*transaction, error) {
	number := id.Number
	if id.Space != "" {
		if number = e.branches[id]; number == 0 {
			return nil, ErrNoBranch
		}
	}
	t := e.txns[number]
	if t == nil || t.reserves || id.Space == "" && !t.name.IsZero() {
		return nil, call.ErrTxnEnded
	}
	return t, nil
}

// Commit stores drafts under a transaction and commits it: both or none. Result: Grants, one per draft. It fails as
// Write does, with ErrTxnEnded, and with ErrSpans if the transaction has branches in other spaces; after any other
// error than ErrTxnEnded the transaction is as it was.
func (e *Engine) Commit(now int64, id txn.ID, by call.Request, drafts []call.Draft) call.Result {
	e.begin(now)
	t, err := e.transaction(id)
	switch {
	case err != nil:
		return e.refused(err)
	case len(t.participants) > 0:
		return failed(ErrSpans)
	}
	return e.commitWith(t, by, drafts, nil)
}

// commitWith is Commit; decide, if not nil, appends more records to it.
func (e *Engine) commitWith(t *transaction, by call.Request, drafts []call.Draft, decide func()) call.Result {
	if len(drafts) > 0 { // this does not make t volatile: a restart has the whole call or nothing
		if err := e.checkDrafts(drafts); err != nil {
			return failed(err)
		}
		if err := e.writeUnder(t, drafts); err != nil {
			return failed(err)
		}
	}
	e.change()
	if decide != nil {
		decide()
	}
	e.committed(t.id)
	r := call.Result{Grants: e.grants}
	e.done(by, &r)
	e.commit(t)
	e.settle()
	r.Depends = e.lsn
	return r
}

// refused is the result of a call whose transaction has ended, perhaps just now.
func (e *Engine) refused(err error) call.Result {
	e.settle()
	return failed(err)
}

// changes reports whether a transaction has anything to commit. Without changes there would be no record to wait for.
func (e *Engine) changes(t *transaction) bool {
	for _, h := range t.own {
		if h.ownedBy(t) && (h.k.alive(e, h.s) || h.k.At(h.s).State == changed) {
			return true
		}
	}
	return slices.ContainsFunc(t.taken, func(h held) bool { return h.takenBy(t) })
}

// Commits reports whether the commit of a transaction that began here would write records, because the transaction has
// changed something, or more is set.
func (e *Engine) Commits(id txn.ID, more bool) bool {
	t := e.txns[id.Number]
	return t != nil && (more || e.changes(t))
}

// Abort undoes and ends a transaction. It fails with ErrTxnEnded.
func (e *Engine) Abort(now int64, id txn.ID) call.Result {
	e.begin(now)
	t, err := e.transaction(id)
	if err != nil {
		return e.refused(err)
	}
	e.abort(t, call.ErrTxnEnded, record.Cancelled)
	e.settle()
	return e.undone()
}

// undone is the result of a call that only released entries: it depends on the records of the releases, if any.
func (e *Engine) undone() call.Result {
	if e.dirty {
		return call.Result{Depends: e.lsn}
	}
	return call.Result{}
}

// Rollback undoes what was done under a transaction, which stays open, except for the takes of the entries in keep,
// which it sorts. It fails with ErrTxnEnded.
func (e *Engine) Rollback(now int64, id txn.ID, keep []uint64) call.Result {
	e.begin(now)
	t, err := e.active(id)
	if err != nil {
		return e.refused(err)
	}
	e.undo(t, keep, record.Cancelled)
	e.settle()
	return e.undone()
}

// Defer makes the commit of a transaction put a taken entry back instead of removing it: visible after delay, with the
// rest of its lease from then on, and with one attempt more. It fails with ErrTxnEnded, ErrInvalidArgument for a delay
// that is negative or longer than MaxDelay, and ErrNoMatch if the transaction has not taken the entry.
func (e *Engine) Defer(now int64, id txn.ID, entry uint64, delay int64) call.Result {
	e.begin(now)
	t, err := e.active(id)
	if err != nil {
		return e.refused(err)
	}
	if err := checkDelay(delay); err != nil {
		return failed(err)
	}
	for _, h := range t.taken {
		if h.id == entry && h.takenBy(t) {
			e.keepImage(h.k, h.s)
			l := h.k.locks[h.s]
			l.put, l.visible = true, e.until(delay)
			return call.Result{Depends: max(e.recordHold(h), t.volatileAt)}
		}
	}
	return failed(call.ErrNoMatch)
}
