package engine

import (
	"github.com/gospaces/gospaces/template"
)

// offer shows a newly visible entry to everyone who waits for one like it: every registration gets an event, every waiting
// read a copy, and of the waiting takes the first in order of arrival the entry itself.
func (e *Engine) offer(k *kind, s slot) {
	row := k.row(e, s)
	var taker *Waiter
	for {
		taker = e.visit(&e.anyKind, k, s, row, nil, taker)
		for _, a := range k.lineage {
			taker = e.visit(&a.watch, k, s, row, a.fields, taker)
		}
		if taker == nil || e.give(taker, k, s) {
			return
		}
		taker = nil
	}
}

// visit shows the entry to one watch. at gives the positions in row of the watch's fields; nil if they are the same.
// It returns the earlier of taker and the first waiting take here.
func (e *Engine) visit(w *watch, k *kind, s slot, row template.Row, at []int, taker *Waiter) *Waiter {
	for i := 0; i < len(w.groups); i++ {
		g := w.groups[i]
		hash, ok := e.hashRow(row, g.eq, at)
		if !ok {
			continue
		}
		b, ok := g.buckets[hash]
		if !ok {
			continue
		}
		for n := b[listening].head; n != nil; n = n.next {
			if n.matches(row, at) {
				e.notify(n.listener, k, s)
			}
		}
		for n := b[reading].head; n != nil; n = n.next {
			if n.waiter.parked && n.matches(row, at) {
				e.show(n.waiter, k, s)
			}
		}
		for n := b[taking].head; n != nil && (taker == nil || n.waiter.arrival < taker.arrival); n = n.next {
			if n.waiter.parked && n.matches(row, at) {
				taker = n.waiter
				break
			}
		}
	}
	return taker
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

// show adds the entry to what a waiting read returns.
func (e *Engine) show(w *Waiter, k *kind, s slot) {
	v := k.view(e, s)
	if n := len(w.Got); n > 0 && w.Got[n-1].ID == v.ID {
		return
	}
	e.serve(w, v)
}

// give hands the entry to a waiting take. A take with an ordering gets the first in its order instead, which may be
// another entry of the same write; give then reports false, for this entry is still to be had.
func (e *Engine) give(w *Waiter, k *kind, s slot) bool {
	h := hit{k, s}
	if len(w.Query.Order) > 0 {
		one := *w.Query
		one.Max = 1
		h = e.find(&one)[0]
	}
	e.serve(w, h.k.view(e, h.s))
	e.take(h.k, h.s, w.Query.By, len(w.Got) > 1)
	return h == hit{k, s}
}

// serve adds v to what w returns when the write that is being offered is done. A waiter that has all it asked for leaves at once.
func (e *Engine) serve(w *Waiter, v View) {
	if len(w.Got) == 0 {
		e.Granted = append(e.Granted, w)
	}
	if w.Got = append(w.Got, v); len(w.Got) == w.Query.Max {
		e.Unpark(w)
	}
}

// settle ends the waits that a write has served in part.
func (e *Engine) settle() {
	for _, w := range e.Granted {
		e.Unpark(w)
	}
}
