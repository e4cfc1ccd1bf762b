package engine

import (
	"cmp"
	"slices"
)

// When a kind begins to embed others, templates of these match its entries, though nothing was written. Waiting calls
// are served as if they were made now; registrations get no event, since no entry has become visible.

// embraced serves the calls that wait for kinds which k embeds now and did not before.
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
				e.suspect(w.txn) // it may wait for more locks now
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
