package engine

import (
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Update changes the row of an entry, which keeps its identity, lease and place, and serves the calls that wait for it.
// The row must have passed Check. Under a transaction, only the transaction sees the change until it commits, and
// others find the entry locked. Every committed change increases the version by one. Result: Version.
//
// It fails with ErrNoMatch if there is no such entry, ErrVersionConflict if it has another version, ErrLocked if others
// have locked it, ErrInvalidArgument if it is of another kind, ErrTxnEnded, and ErrTooLarge if the transaction has
// written too much.
func (e *Engine) Update(now int64, under txn.ID, by call.Request, c call.Change) call.Result {
	e.begin(now)
	t, err := e.under(under)
	if err != nil {
		return e.refused(err)
	}
	if c.Kind != 0 {
		if err := e.checkKind(c.Kind); err != nil {
			return failed(err)
		}
	}
	p, ok := e.store.Find(c.ID)
	if !ok {
		return call.Result{Err: call.ErrNoMatch, Depends: e.lsn}
	}
	if e.redeem(c.ID) {
		defer e.redeemed()
	}
	k := e.kinds[p.Kind-1]
	if err := e.checkChange(k, p.Slot, t, &c); err != nil {
		return call.Result{Err: err, Depends: k.changed}
	}
	en := k.At(p.Slot)
	if t == nil {
		e.change()
		e.Changes.Add(c.ID)
		e.Log = record.AppendChange(e.Log, c.ID, k.id, en.Expires, c.Row)
		k.replace(e, p.Slot, c.Row)
		r := call.Result{Version: c.Version + 1, Depends: e.lsn}
		e.done(by, &r)
		e.offer(k, p.Slot, replaced)
		e.deal()
		e.settle()
		return r
	}
	h := held{k, p.Slot, c.ID}
	if !h.ownedBy(t) {
		if err := e.roomFor(t, 1); err != nil {
			return failed(err)
		}
	}
	if err := e.charge(t, len(c.Row)); err != nil {
		return failed(err)
	}
	e.changeUnder(t, h, c.Row)
	v := en.Version
	e.spoil(t)
	e.tellUnder(t, h, replaced)
	e.serveUnder(t)
	e.settle()
	return call.Result{Version: v, Depends: t.volatileAt}
}

// checkChange returns the error if the entry in slot s cannot be changed, and sets the version that c leaves open.
func (e *Engine) checkChange(k *kind, s slot, t *transaction, c *call.Change) error {
	en := k.At(s)
	switch {
	case !k.alive(e, s) || en.State == delayed ||
		en.State == written && !k.availableTo(t, s, true) || en.State == taken && k.locks[s].owner == t:
		return call.ErrNoMatch
	case c.Kind != 0 && c.Kind != k.id:
		return fmt.Errorf("%w: entry %d is of kind %q", call.ErrInvalidArgument, c.ID, k.schema.Kind)
	case !k.availableTo(t, s, true):
		return fmt.Errorf("%w: entry %d, by another transaction", call.ErrLocked, c.ID)
	case c.Version != 0 && c.Version != en.Version:
		return fmt.Errorf("%w: entry %d has version %d, not %d", call.ErrVersionConflict, c.ID, en.Version, c.Version)
	}
	c.Version = en.Version
	return nil
}

// replace changes the row of a free entry.
func (k *kind) replace(e *Engine, s slot, row template.Row) {
	e.keepImage(k, s)
	en := k.At(s)
	k.Free.Remove(s)
	k.SetRow(s, row)
	en.Version++
	en.LSN, k.changed, k.removed = e.lsn, e.lsn, e.lsn // it may match fewer templates now
	k.Free.Insert(s)
}

// changeUnder changes the row of an entry that t may take.
func (e *Engine) changeUnder(t *transaction, h held, row template.Row) {
	k, en := h.k, h.k.At(h.s)
	e.keepImage(k, h.s)
	switch en.State {
	case written, changed:
		k.SetRow(h.s, row)
		e.recheck(k.locks[h.s])
		return
	case free:
		k.Free.Remove(h.s)
		k.lock(e, h.s)
	case shared:
		k.Shared.Remove(h.s)
	}
	l := k.locks[h.s]
	l.owner, l.readers = t, nil
	l.oldRow, l.oldSize = k.SwapRow(h.s, row)
	en.Version++
	en.State = changed
	t.own = append(t.own, h)
	e.suspect(t)
}
