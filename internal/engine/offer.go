package engine

import (
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
)

// audience selects who is told of an entry that has changed its state: registrations for events of these types, and of
// the waiting calls reads and takes, or takes only. The zero audience is empty.
type audience struct {
	events call.EventSet
	reads  bool
	only   *transaction // if not nil, only registrations under this transaction, to which alone the entry is new
	// if not nil, only registrations not under this transaction, to which the entry is not new
	but *transaction
}

var (
	// written
	fresh = audience{events: call.Events(call.Written, call.Available, call.Visible), reads: true}
	// visible again
	again = audience{events: call.Events(call.Available, call.Visible), reads: true}
	// visible before, and can now be taken
	unlocked = audience{events: call.Events(call.Available)}
	// its fields have changed
	replaced = audience{events: call.Events(call.Updated), reads: true}
	// its fields have changed, and it is visible again
	changedUnder = audience{events: call.Events(call.Updated, call.Available, call.Visible), reads: true}
)

// butTo returns the audience without the registrations under t.
func (a audience) butTo(t *transaction) audience {
	a.but = t
	return a
}

// onlyTo returns the audience restricted to registrations under t.
func (a audience) onlyTo(t *transaction) audience {
	a.only = t
	return a
}

// excludes reports whether r is not told.
func (a *audience) excludes(r *registration) bool {
	return a.only != nil && a.only != r.txn || a.but != nil && a.but == r.txn
}

// offer offers an entry to everything that waits for one like it: registrations get an event, every waiting read a
// copy, and the first waiting take in order of arrival the entry itself. deal must follow.
func (e *Engine) offer(k *kind, s slot, to audience) {
	if e.store.Following {
		return
	}
	row := k.Row(s)
	e.offers++
	taker := e.visit(&e.anyKind, k, s, row, nil, to, nil)
	for _, a := range k.lineage {
		taker = e.visit(&a.watch, k, s, row, a.fields, to, taker)
	}
	if k.At(s).State != free { // read-locked before, or by a waiting read just now
		taker = k.ownTaker(e, s)
	}
	switch {
	case taker == nil:
	case len(taker.Query.Order) > 0 || len(e.undealt) > 0:
		e.undealt = append(e.undealt, held{k, s, k.At(s).ID})
	default:
		e.give(taker, k, s)
	}
}

// visit offers the entry to one watch. at gives the positions in row of the watch's fields; nil if they are the same.
// It returns the earlier of taker and the first waiting take here.
func (e *Engine) visit(w *watch, k *kind, s slot, row template.Row, at []int, to audience, taker *Waiter) *Waiter {
	for i := 0; i < len(w.groups); i++ {
		b, ok := w.groups[i].bucket(e, k.At(s).ID, row, at)
		if !ok {
			continue
		}
		if b.crowd != nil {
			taker = e.visitCrowd(&b, k, s, row, at, to, taker)
			continue
		}
		for n := b.of[listening].head; n != nil && to.events != 0; n = n.next {
			if !to.excludes(n.listener) && n.matches(row, at) {
				e.notify(n.listener, k.view(e, s), to.events)
			}
		}
		for n := b.of[reading].head; n != nil && to.reads; n = n.next {
			if n.waits(k, s) && n.matches(row, at) {
				e.show(n.waiter, k, s)
			}
		}
		for n := b.of[taking].head; n != nil && (taker == nil || n.waiter.arrival < taker.arrival); n = n.next {
			if n.waits(k, s) && n.matches(row, at) {
				taker = n.waiter
				break
			}
		}
	}
	return taker
}

// visitCrowd offers the entry to the nodes of a bucket that has a crowd.
func (e *Engine) visitCrowd(b *bucket, k *kind, s slot, row template.Row, at []int, to audience,
	taker *Waiter,
) *Waiter {
	if to.events != 0 {
		for _, n := range b.matching(listening, row, at) {
			if !to.excludes(n.listener) {
				e.notify(n.listener, k.view(e, s), to.events)
			}
		}
	}
	if to.reads {
		for _, n := range b.matching(reading, row, at) {
			if n.waits(k, s) {
				e.show(n.waiter, k, s)
			}
		}
	}
	for n := b.of[taking].head; n != nil && (taker == nil || n.waiter.arrival < taker.arrival); n = n.next {
		if n.waits(k, s) && n.matches(row, at) {
			taker = n.waiter
			break
		}
	}
	return b.crowd.taker(k, s, row, at, taker)
}

// waits reports whether the node's call still waits, and not only for another entry.
func (n *node) waits(k *kind, s slot) bool {
	w := n.waiter
	return w.parked && (w.Query.ID == 0 || w.Query.ID == k.At(s).ID)
}

func (n *node) matches(row template.Row, at []int) bool {
	for i := range n.conds {
		c := &n.conds[i]
		f := c.Field
		if at != nil {
			f = at[f]
		}
		if !c.Match(row.Field(f)) {
			return false
		}
	}
	return true
}

// tell sends an event about an entry, other than becoming visible, unless the entry never was. An uncommitted change of
// a transaction is ignored.
func (e *Engine) tell(k *kind, s slot, what call.EventType) {
	if e.wanted[what] == 0 || !k.seen(s) {
		return
	}
	v := k.before(e, s)
	e.offers++
	e.watching(k, v.ID, v.Row, listening, func(n *node) { e.notify(n.listener, v, call.Events(what)) })
}

// watching calls f with the nodes of a class that match an entry of kind k.
func (e *Engine) watching(k *kind, id uint64, row template.Row, class int, f func(*node)) {
	look := func(w *watch, at []int) {
		for _, g := range w.groups {
			b, _ := g.bucket(e, id, row, at)
			if b.crowd != nil {
				for _, n := range b.matching(class, row, at) {
					f(n)
				}
				continue
			}
			for n := b.of[class].head; n != nil; n = n.next {
				if n.matches(row, at) {
					f(n)
				}
			}
		}
	}
	look(&e.anyKind, nil)
	for _, a := range k.lineage {
		look(&a.watch, a.fields)
	}
}

// tellUnder notifies the registrations under t of an entry that it has written or changed: no other caller sees the
// entry.
func (e *Engine) tellUnder(t *transaction, h held, to audience) {
	e.offers++
	for _, r := range t.registrations {
		if e.registrations[r.id] != r {
			continue // the entry is gone
		}
		if conds, wanted := e.condsOf(r.query, h.k); wanted && matchAny(conds, h.k.Row(h.s)) {
			e.notify(r, h.k.view(e, h.s), to.events)
		}
	}
}

// serveUnder serves the calls that wait under t after something became available to t alone: reads, then takes, in
// order of arrival.
func (e *Engine) serveUnder(t *transaction) {
	calls := t.calls()
	for _, take := range [...]bool{false, true} {
		for _, w := range calls {
			if w.parked && w.Query.Exclusive() == take {
				e.grab(w)
			}
		}
	}
}

// ownTaker returns the first waiting take of the only transaction with a read lock on an entry, or nil.
func (k *kind) ownTaker(e *Engine, s slot) *Waiter {
	l := k.locks[s]
	if k.At(s).State != shared || len(l.readers) != 1 {
		return nil
	}
	for _, w := range l.readers[0].calls() {
		if w.Query.Exclusive() && w.wants(e, k, s) {
			return w
		}
	}
	return nil
}

// wants reports whether a call waits for an entry.
func (w *Waiter) wants(e *Engine, k *kind, s slot) bool {
	if !w.parked || w.Query.ID != 0 && w.Query.ID != k.At(s).ID {
		return false
	}
	conds, wanted := e.condsOf(w.Query, k)
	return wanted && matchAny(conds, k.Row(s))
}

// show adds the entry to the results of a waiting read. With an ordering, the read gets everything that it finds now.
func (e *Engine) show(w *Waiter, k *kind, s slot) {
	if len(w.Query.Order) > 0 {
		if len(w.Got) == 0 {
			e.grab(w)
		}
		return
	}
	v := k.view(e, s)
	if n := len(w.Got); n > 0 && w.Got[n-1].ID == v.ID {
		return
	}
	if w.txn != nil {
		e.share(w.txn, k, s)
	}
	e.serve(w, v)
}

// give gives the entry to a waiting take.
func (e *Engine) give(w *Waiter, k *kind, s slot) {
	v := k.view(e, s)
	switch {
	case w.Query.Begin:
		t, granted := e.beginTxn(w.Query.Lease, w.Query.By, w.Query.Holder)
		v.Txn = t.id
		w.Grants = append(w.Grants, call.Grant{ID: t.id, Granted: granted})
		e.seize(t, k, s)
	case w.Query.Reserve:
		v.Txn = e.reserve(k, s)
	case w.Query.Claim:
		e.share(w.txn, k, s)
	case w.txn != nil:
		e.seize(w.txn, k, s)
	default:
		e.take(k, s, w.Query.By, len(w.Got) > 0)
	}
	e.serve(w, v)
}

// serve adds v to the results of w, which returns when the current offers are complete. A waiter leaves at once if it
// has all it asked for, or its transaction may hold no more.
func (e *Engine) serve(w *Waiter, v call.View) {
	if len(w.Got) == 0 {
		e.Granted = append(e.Granted, w)
	}
	if w.Got = append(w.Got, v); len(w.Got) == w.Query.Max || w.txn != nil && e.vacant(w.txn) <= 0 {
		e.Unpark(w)
	}
}

// end ends a wait that got nothing, with an error.
func (e *Engine) end(w *Waiter, err error) {
	if !e.Unpark(w) || len(w.Got) > 0 {
		return
	}
	w.Err = err
	e.Granted = append(e.Granted, w)
}

// settle ends the waits that were served in part or have nothing left to wait for, and breaks deadlocks.
func (e *Engine) settle() {
	for again := true; again; again = e.breakDeadlock() {
		for _, l := range e.promoted { // only now that everything that became available was offered
			e.recheck(l)
		}
		e.promoted = e.promoted[:0]
		for _, w := range e.Granted {
			e.Unpark(w)
		}
	}
}
