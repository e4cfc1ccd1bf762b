package engine

import (
	"fmt"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
)

// Renew asks for leases of d from now for entries, registrations and transactions; for a delayed entry, from the end of
// the delay. A limit never shortens a lease: only a shorter d does. Result: Grants and Errs, one per identity; Errs
// holds nil or ErrLeaseEnded. It fails with ErrInvalidArgument for a negative d.
func (e *Engine) Renew(now int64, by call.Request, d int64, ids []uint64) call.Result {
	e.begin(now)
	if d < 0 {
		return failed(fmt.Errorf("%w: negative lease", call.ErrInvalidArgument))
	}
	logged := len(e.Log)
	for _, id := range ids {
		g, err := e.renew(id, d)
		e.grants = append(e.grants, g)
		e.errs = append(e.errs, err)
	}
	r := call.Result{Grants: e.grants, Errs: e.errs}
	if len(e.Log) > logged { // anything not in the log belongs to a transaction that the log does not know
		e.done(by, &r)
	}
	e.settle()
	r.Depends = e.lsn
	return r
}

// leased returns the transaction with the lease id, if it began here. It ends a transaction whose lease is over, so
// that its locks are released before its holder is told.
func (e *Engine) leased(id uint64) *transaction {
	t := e.txns[id]
	switch {
	case t == nil || !t.name.IsZero():
		return nil
	case t.expires <= e.now && !t.prepared:
		e.lapse(t)
		return nil
	}
	return t
}

// OnlyTxns reports whether all ids are leases of transactions: renewing these makes small records, or none.
func (e *Engine) OnlyTxns(ids []uint64) bool {
	return !slices.ContainsFunc(ids, func(id uint64) bool { return e.txns[id] == nil })
}

func (e *Engine) renew(id uint64, d int64) (call.Grant, error) {
	if r := e.registrations[id]; r != nil && r.expires > e.now {
		expires := extended(r.expires, e.now, d, e.limits.RegistrationLease)
		if r.txn == nil {
			e.recordRenew(id, 0, expires)
		}
		e.setRegistrationExpiry(r, expires)
		return call.Grant{ID: id, Granted: e.granted(expires)}, nil
	}
	if t := e.leased(id); t != nil && !t.prepared {
		expires := extended(t.expires, e.now, d, e.limits.TxnLease)
		if t.restored = false; t.holds > 0 {
			e.recordRenew(id, 0, expires)
		}
		e.setTxnExpiry(t, expires)
		return call.Grant{ID: id, Granted: e.granted(t.expires)}, nil
	}
	p, ok := e.store.Find(id)
	if !ok || !e.kinds[p.Kind-1].alive(e, p.Slot) {
		return call.Grant{ID: id}, call.ErrLeaseEnded
	}
	k := e.kinds[p.Kind-1]
	start := e.now
	if d > 0 { // a lease of 0 ends at once, whatever the delay
		start = k.start(e, p.Slot)
	}
	expires := extended(k.At(p.Slot).Expires, start, d, e.limits.EntryLease)
	if st := k.At(p.Slot).State; st != written {
		e.recordRenew(id, k.id, expires)
		e.tell(k, p.Slot, call.Renewed)
	} else if k.locks[p.Slot].owner.prepared { // otherwise it is recorded by the commit
		e.recordRenew(id, k.id, expires)
	}
	k.setExpiry(e, p.Slot, expires)
	return call.Grant{ID: id, Granted: between(start, expires)}, nil
}

// extended returns the new expiry of a lease that ends at old when it is renewed by d, counted from start.
func extended(old, start, d, limit int64) int64 {
	expires := after(start, capped(d, limit))
	if expires < old && after(start, d) >= old {
		return old
	}
	return expires
}

func (e *Engine) recordRenew(id uint64, kind uint32, expires int64) {
	e.change()
	e.Log = record.AppendRenew(e.Log, id, kind, expires)
}

// setExpiry moves the end of an entry's lease.
func (k *kind) setExpiry(e *Engine, s slot, expires int64) {
	e.keepImage(k, s)
	en := k.At(s)
	if en.Expires != call.Forever {
		k.expiry.remove(k, s)
	}
	en.Expires, en.LSN = expires, e.lsn
	if expires != call.Forever {
		k.expiry.add(e, k, s)
	}
	k.changed = e.lsn
}

// Cancel ends leases at once. A transaction is aborted, also one that has taken an entry whose lease is cancelled.
// Result: Errs, one per identity: nil or ErrLeaseEnded.
func (e *Engine) Cancel(now int64, by call.Request, ids []uint64) call.Result {
	e.begin(now)
	logged := len(e.Log)
	for _, id := range ids {
		e.errs = append(e.errs, e.cancel(id))
	}
	r := call.Result{Errs: e.errs}
	if len(e.Log) > logged {
		e.done(by, &r)
	}
	e.settle()
	r.Depends = e.lsn
	return r
}

func (e *Engine) cancel(id uint64) error {
	if r := e.registrations[id]; r != nil && r.expires > e.now {
		e.unregister(r, record.Cancelled)
		return nil
	}
	if t := e.leased(id); t != nil && t.expires > e.now {
		e.lose(t, call.ErrTxnEnded, record.Cancelled)
		return nil
	}
	p, ok := e.store.Find(id)
	if !ok || !e.kinds[p.Kind-1].alive(e, p.Slot) {
		return call.ErrLeaseEnded
	}
	k := e.kinds[p.Kind-1]
	holder := k.holder(p.Slot)
	e.remove(k, p.Slot, record.Cancelled)
	if holder != nil {
		e.lose(holder, errCancelled, record.Cancelled)
	}
	return nil
}
