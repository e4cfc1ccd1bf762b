package engine

import (
	"cmp"
	"slices"
)

// A kind that begins to embed others brings its entries under their templates: they match, though nothing was
// written. Calls that wait are served as if they were made now; registrations hear nothing, since no entry has
// become visible.

// embraced serves the calls that wait for the kinds which k embeds now, and did not before.
func (e *Engine) embraced(k *kind, before []ancestor) {
	if k.Used() == 0 {
		return
	}
	var calls []*Waiter
	for _, a := range k.lineage {
		if !slices.ContainsFunc(before, func(b ancestor) bool { return b.kind == a.kind }) {
			calls = a.watch.calls(calls)
		}
	}
	slices.SortFunc(calls, func(a, b *Waiter) int { return cmp.Compare(a.arrival, b.arrival) })
	calls = slices.Compact(calls)
	for _, take := range [...]bool{false, true} {
		for _, w := range calls {
			if w.parked && w.Query.Exclusive() == take {
				e.grab(w)
			}
			if w.parked && w.txn != nil {
				e.suspect(w.txn) // there may be more locks that it waits for
			}
		}
	}
	e.settle()
}

// calls appends the waiting calls of w, in no order.
func (w *watch) calls(dst []*Waiter) []*Waiter {
	for _, g := range w.groups {
		for _, b := range g.buckets {
			for _, class := range [...]int{reading, taking} {
				for _, n := range b.all(class) {
					dst = append(dst, n.waiter)
				}
			}
		}
	}
	return dst
}
