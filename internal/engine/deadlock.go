package engine

import (
	"cmp"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
)

// A call that waits under a transaction can continue when one of the locks on its matches is released, that is, when
// all other holders of the lock have ended. The call is stuck if each of these locks has a holder that is stuck itself.
// A transaction with waiting calls is stuck if all of the calls are. Transactions that are stuck only because of each
// other, and wait for each other in a cycle, are a deadlock: nothing outside can resolve it.
//
// A cycle can close when a transaction with waiting calls begins to wait for more, stops waiting for something that
// might have come, or locks something: that transaction becomes a suspect. A cycle can also remain when a transaction
// outside, which could have released a lock, ends: then all transactions that both wait and hold something are
// suspects. Suspects are examined at the end of the call.

// suspect records that t, if calls wait under it, may have closed a cycle.
func (e *Engine) suspect(t *transaction) {
	if len(t.waiting) > 0 && !slices.Contains(e.suspects, t) {
		e.suspects = append(e.suspects, t)
	}
}

// suspectAll makes every transaction that can be in a cycle a suspect.
func (e *Engine) suspectAll() {
	for t := range e.blocked {
		if len(t.own)+len(t.taken)+len(t.read) > 0 {
			e.suspect(t)
		}
	}
}

// breakDeadlock aborts the youngest transaction of a cycle through the oldest suspect, if there is a cycle. It reports
// whether there were suspects.
func (e *Engine) breakDeadlock() bool {
	if e.letGo {
		e.letGo = false
		e.suspectAll()
	}
	if len(e.suspects) == 0 {
		return false
	}
	t := slices.MinFunc(e.suspects, func(a, b *transaction) int { return cmp.Compare(a.id, b.id) })
	victim := e.victim(t)
	if victim == nil || victim == t {
		e.suspects = slices.DeleteFunc(e.suspects, func(o *transaction) bool { return o == t })
	}
	if victim != nil {
		e.lose(victim, call.ErrDeadlock, record.Cancelled)
	}
	return true
}

// victim returns the youngest transaction of the deadlock that t is in, or nil.
func (e *Engine) victim(t *transaction) *transaction {
	if e.txns[t.id] != t {
		return nil
	}
	g := waitGraph{}
	circle := e.reach(g, t)
	for {
		// Transactions that are stuck because of others outside the cycle are not resolved here.
		smaller := g.circle(t, g.stuck(circle))
		if len(smaller) == 0 {
			return nil
		}
		if len(smaller) == len(circle) {
			return slices.MaxFunc(circle, func(a, b *transaction) int { return cmp.Compare(a.id, b.id) })
		}
		circle = smaller
	}
}

// waitGraph holds, for each transaction with waiting calls, the locks of which one must be released for a call to
// continue; each lock is given by its other holders. A transaction that can continue anyway is not in the graph.
type waitGraph map[*transaction][][]*transaction

// reach adds to g the transactions that t waits for, directly or indirectly, and returns them together with t.
func (e *Engine) reach(g waitGraph, t *transaction) []*transaction {
	all := []*transaction{t}
	for i := 0; i < len(all); i++ {
		ways := e.ways(all[i])
		if ways == nil {
			continue
		}
		g[all[i]] = ways
		for _, holders := range ways {
			for _, h := range holders {
				if !slices.Contains(all, h) {
					all = append(all, h)
				}
			}
		}
	}
	return all
}

// ways returns the locks that t waits for, each as the list of its other holders; nil if t can continue without the end
// of a waiting transaction.
func (e *Engine) ways(t *transaction) [][]*transaction {
	if t.prepared {
		return nil // others decide this
	}
	var ways [][]*transaction
	for _, w := range t.calls() {
		before := len(ways)
		free := false
		e.contention(w.Query, t, func(l *lock) bool {
			holders := l.others(t)
			free = !slices.ContainsFunc(holders, func(h *transaction) bool { return len(h.waiting) > 0 })
			ways = append(ways, holders)
			return !free
		})
		if free || len(ways) == before {
			return nil
		}
	}
	return ways
}

// others returns the holders of the lock other than t.
func (l *lock) others(t *transaction) []*transaction {
	if l.owner != nil {
		return []*transaction{l.owner}
	}
	return slices.DeleteFunc(slices.Clone(l.readers), func(r *transaction) bool { return r == t })
}

// stuck returns the transactions of some that none of the others will ever release.
func (g waitGraph) stuck(some []*transaction) (left []*transaction) {
	waits := map[*transaction]bool{}
	for _, t := range some {
		waits[t] = g[t] != nil
	}
	for again := true; again; {
		again = false
		for _, t := range some {
			if waits[t] && g.goesOn(t, waits) {
				waits[t], again = false, true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(some), func(t *transaction) bool { return !waits[t] })
}

// goesOn reports whether one of the locks that t waits for is released if all transactions end except those in waits.
func (g waitGraph) goesOn(t *transaction, waits map[*transaction]bool) bool {
	return slices.ContainsFunc(g[t], func(holders []*transaction) bool {
		return !slices.ContainsFunc(holders, func(h *transaction) bool { return waits[h] })
	})
}

// circle returns the transactions of some that wait for t and for which t waits, with no path through others; t is
// among them if there are any.
func (g waitGraph) circle(t *transaction, some []*transaction) []*transaction {
	behind := g.walk(t, some)
	return slices.DeleteFunc(behind, func(x *transaction) bool { return !slices.Contains(g.walk(x, some), t) })
}

// walk returns the transactions of some that can be reached from x in one or more steps.
func (g waitGraph) walk(x *transaction, some []*transaction) (found []*transaction) {
	for i, at := 0, x; ; i++ {
		for _, holders := range g[at] {
			for _, h := range holders {
				if slices.Contains(some, h) && !slices.Contains(found, h) {
					found = append(found, h)
				}
			}
		}
		if i == len(found) {
			return found
		}
		at = found[i]
	}
}
