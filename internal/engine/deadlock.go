package engine

import (
	"cmp"
	"slices"
)

// A transaction is stuck if every call under it that waits has matches and all of them are locked; a circle of transactions that wait for
// each other is a deadlock if all that can be reached from it are stuck: none of them can let go of anything.
//
// A circle closes when a transaction under which calls wait begins to wait for more, stops to wait for something that might have come, or locks
// something. So these are looked at, when the call that did it is done, and only circles through them need be looked for.

// suspect notes that t, if calls wait under it, may have closed a circle.
func (e *Engine) suspect(t *transaction) {
	if len(t.waiting) > 0 && !slices.Contains(e.suspects, t) {
		e.suspects = append(e.suspects, t)
	}
}

// breakDeadlock aborts the youngest transaction of a circle through the oldest suspect, if there is one. It reports whether anybody was suspected.
func (e *Engine) breakDeadlock() bool {
	if len(e.suspects) == 0 {
		return false
	}
	t := slices.MinFunc(e.suspects, func(a, b *transaction) int { return cmp.Compare(a.id, b.id) })
	victim := e.victim(t)
	if victim == nil || victim == t {
		e.suspects = slices.DeleteFunc(e.suspects, func(o *transaction) bool { return o == t })
	}
	if victim != nil {
		e.abort(victim, ErrDeadlock)
	}
	return true
}

// victim returns the youngest transaction of the deadlock that t is in, or nil.
func (e *Engine) victim(t *transaction) *transaction {
	if e.txns[t.id] != t {
		return nil
	}
	reached := []*transaction{t}
	edges := map[*transaction][]*transaction{}
	for i := 0; i < len(reached); i++ {
		holders := e.holders(reached[i])
		if holders == nil {
			return nil
		}
		edges[reached[i]] = holders
		for _, h := range holders {
			if !slices.Contains(reached, h) {
				reached = append(reached, h)
			}
		}
	}
	var youngest *transaction
	for _, x := range reached {
		if leads(edges, x, t) && (youngest == nil || x.id > youngest.id) {
			youngest = x
		}
	}
	return youngest
}

// holders returns the transactions that t waits for if it is stuck, or nil.
func (e *Engine) holders(t *transaction) []*transaction {
	if t.prepared {
		return nil // others decide about it
	}
	var found []*transaction
	for _, w := range t.calls() {
		stuck := false
		e.contention(w.Query, t, func(l *lock) bool {
			stuck = true
			if l.owner != nil {
				found = append(found, l.owner)
			}
			for _, r := range l.readers {
				if r != t {
					found = append(found, r)
				}
			}
			return true
		})
		if !stuck {
			return nil
		}
	}
	return found
}

// leads reports whether one can get from x to t in one step or more.
func leads(edges map[*transaction][]*transaction, x, t *transaction) bool {
	seen := []*transaction{x}
	for i := 0; i < len(seen); i++ {
		for _, next := range edges[seen[i]] {
			if next == t {
				return true
			}
			if !slices.Contains(seen, next) {
				seen = append(seen, next)
			}
		}
	}
	return false
}
