package engine

import (
	"fmt"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Write stores all drafts or none, and serves the calls that wait for them; under a transaction, only the transaction
// sees them until it commits. Rows must have passed Check. Result: Grants, one per draft. It fails with
// ErrInvalidArgument, ErrUnknownKind, ErrTxnEnded, and ErrTooLarge if the transaction has written too much.
func (e *Engine) Write(now int64, under txn.ID, by call.Request, drafts []call.Draft) call.Result {
	e.begin(now)
	if err := e.checkDrafts(drafts); err != nil {
		return failed(err)
	}
	t, err := e.under(under)
	if err != nil {
		return e.refused(err)
	}
	if t != nil {
		if err := e.writeUnder(t, drafts); err != nil {
			return failed(err)
		}
		e.spoil(t)
		e.settle()
		return call.Result{Grants: e.grants, Depends: max(e.reservedAt, t.volatileAt)}
	}
	e.change()
	e.expect(drafts)
	for i := range drafts {
		d := &drafts[i]
		visible, expires := e.times(d)
		id := e.nextID()
		e.grants = append(e.grants, call.Grant{ID: id, Granted: between(visible, expires)})
		e.put(id, e.kinds[d.Kind-1], visible, expires, d)
	}
	e.wrote(by, e.grants)
	for i := range drafts {
		e.kinds[drafts[i].Kind-1].tend(e)
		p, _ := e.store.Find(e.grants[i].ID)
		switch k := e.kinds[drafts[i].Kind-1]; {
		case !k.alive(e, p.Slot): // the lease ended at once, so no call has seen it
			e.erase(k, p.Slot, record.Expired)
		case k.At(p.Slot).State != delayed:
			e.offer(k, p.Slot, fresh)
		}
	}
	e.deal()
	e.settle()
	return call.Result{Grants: e.grants, Depends: e.lsn}
}

// expect makes room in Log for the records of drafts, so that it is not copied repeatedly as it grows.
func (e *Engine) expect(drafts []call.Draft) {
	if len(drafts) == 1 {
		return
	}
	const head = 32 // bytes of a record besides its row, usually
	size := 0
	for i := range drafts {
		size += head + len(drafts[i].Row)
	}
	e.Log = slices.Grow(e.Log, size)
}

// writeUnder stores drafts under t, all or none.
func (e *Engine) writeUnder(t *transaction, drafts []call.Draft) error {
	size := 0
	for i := range drafts {
		size += len(drafts[i].Row)
	}
	if err := e.roomFor(t, len(drafts)); err != nil {
		return err
	}
	if err := e.charge(t, size); err != nil {
		return err
	}
	for i := range drafts {
		d := &drafts[i]
		visible, expires := e.times(d)
		id := e.fleetingID()
		e.grants = append(e.grants, call.Grant{ID: id, Granted: between(visible, expires)})
		l := e.stage(t, e.kinds[d.Kind-1], id, expires, d.Row)
		if d.Delay > 0 {
			l.visible = visible
		}
	}
	for _, h := range t.own[len(t.own)-len(drafts):] {
		switch {
		case !h.k.alive(e, h.s):
			e.vanish(h)
		case h.k.locks[h.s].visible != 0: // not visible even to t
		default:
			e.tellUnder(t, h, fresh)
		}
	}
	e.serveUnder(t)
	return nil
}

// charge adds size to the bytes written by t, unless that exceeds the limit.
func (e *Engine) charge(t *transaction, size int) error {
	if err := e.affords(t, size); err != nil {
		return err
	}
	t.bytes += size
	return nil
}

// stage stores an entry that is visible only to t, and returns its lock.
func (e *Engine) stage(t *transaction, k *kind, id uint64, expires int64, row template.Row) *lock {
	s := k.add(e, id, expires, row)
	e.lastOrder++
	en := k.At(s)
	en.Order, en.State = e.lastOrder, written
	l := k.lock(e, s)
	l.owner, l.staged = t, true
	k.staged++
	t.own = append(t.own, held{k, s, id})
	e.suspect(t)
	return l
}

func (e *Engine) checkDrafts(drafts []call.Draft) error {
	if len(drafts) == 0 {
		return fmt.Errorf("%w: nothing to write", call.ErrInvalidArgument)
	}
	for i := range drafts {
		d := &drafts[i]
		if d.Lease < 0 {
			return fmt.Errorf("%w: negative lease", call.ErrInvalidArgument)
		}
		if err := checkDelay(d.Delay); err != nil {
			return err
		}
		if err := e.checkKind(d.Kind); err != nil {
			return err
		}
	}
	return nil
}

// times returns when an entry that is written now becomes visible, and when its lease ends, which starts then. A lease
// of zero has ended.
func (e *Engine) times(d *call.Draft) (visible, expires int64) {
	visible = e.now
	if d.Delay > 0 && d.Lease > 0 {
		visible = e.until(d.Delay)
	}
	return visible, after(visible, capped(d.Lease, e.limits.EntryLease))
}

// put stores and records one entry.
func (e *Engine) put(id uint64, k *kind, visible, expires int64, d *call.Draft) {
	e.Changes.Add(id)
	if d.Delay == 0 {
		e.Log = record.AppendPut(e.Log, id, k.id, expires, d.Row)
		k.insert(e, id, expires, d.Row)
		return
	}
	e.Log = record.AppendPutLater(e.Log, id, k.id, expires, visible, d.Row)
	e.putLater(k, id, expires, visible, d.Row)
}

// putLater stores an entry with a delay.
func (e *Engine) putLater(k *kind, id uint64, expires, visible int64, row template.Row) {
	s := k.add(e, id, expires, row)
	k.At(s).LSN, k.changed = e.lsn, e.lsn
	e.delay(held{k, s, id}, visible)
}

func failed(err error) call.Result { return call.Result{Err: err} }
