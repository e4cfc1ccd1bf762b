package engine

import (
	"cmp"
	"slices"
)

// A waiting take with an ordering gets the first, in its order, of all entries that become available at once. So the
// first entry that would go to such a call, and every later one, is kept back until all are offered, and dealt then.

// deal deals the entries that were kept back to the waiting takes: in order of arrival, each as if the call were made
// now.
func (e *Engine) deal() {
	if len(e.undealt) == 0 {
		return
	}
	var queue []*Waiter
	for _, h := range e.undealt {
		if h.there() {
			queue = e.takers(queue, h.k, h.s)
		}
	}
	e.undealt = e.undealt[:0]
	slices.SortFunc(queue, func(a, b *Waiter) int { return cmp.Compare(a.arrival, b.arrival) })
	for _, w := range slices.Compact(queue) {
		if w.parked {
			e.grab(w)
		}
	}
}

// takers appends the waiting takes that match the entry in slot s.
func (e *Engine) takers(queue []*Waiter, k *kind, s slot) []*Waiter {
	switch k.At(s).State {
	case free:
		e.watching(k, k.At(s).ID, k.Row(s), taking, func(n *node) {
			if n.waits(k, s) {
				queue = append(queue, n.waiter)
			}
		})
	case shared:
		if l := k.locks[s]; len(l.readers) == 1 {
			for _, w := range l.readers[0].calls() {
				if w.Query.Exclusive() && w.wants(e, k, s) {
					queue = append(queue, w)
				}
			}
		}
	}
	return queue
}

// grabBudget is the number of entries that one call examines on behalf of waiting calls.
const grabBudget = 1 << 13

// grab gives a waiting call what it finds now, up to its maximum. If the search takes too long, the call searches for
// itself, as if it were made now.
func (e *Engine) grab(w *Waiter) {
	q := *w.Query
	if q.Max = min(q.Max-len(w.Got), e.placesFor(w)); q.Max <= 0 {
		return
	}
	e.left = e.spare
	hits, ok := e.find(&q, w.txn)
	if e.spare = max(e.left, 0); !ok {
		e.searchAgain(w)
		return
	}
	for _, h := range slices.Clone(hits) {
		switch {
		case q.Take, q.Reserve:
			e.give(w, h.k, h.s)
		case w.txn != nil:
			e.share(w.txn, h.k, h.s)
			fallthrough
		default:
			e.serve(w, h.k.view(e, h.s))
		}
	}
}

// searchAgain ends the wait of a call, which then searches again.
func (e *Engine) searchAgain(w *Waiter) {
	if e.Unpark(w) && len(w.Got) == 0 {
		w.Again = true
		e.Granted = append(e.Granted, w)
	}
}
