package engine

import "slices"

// breakDeadlocks aborts transactions until t, which waits, is in no circle of transactions that wait for each other, or has been aborted
// itself: of each circle the youngest.
//
// A transaction is stuck if every call under it that waits has matches and all of them are locked; a circle is a deadlock if
// all transactions that can be reached from it are stuck: none of them can let go of anything. Whoever closes a circle
// asks, so that only circles through t need be looked for.
func (e *Engine) breakDeadlocks(t *transaction) {
	for {
		victim := e.victim(t)
		if victim == nil {
			return
		}
		e.abort(victim, ErrDeadlock)
		e.settle() // a call that has got some of what it may get waits no more
		if victim == t {
			return
		}
	}
}

// victim returns the youngest transaction of the deadlock that t is in, or nil.
func (e *Engine) victim(t *transaction) *transaction {
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
