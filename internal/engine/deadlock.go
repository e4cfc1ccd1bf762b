package engine

import (
	"cmp"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
)

// A call that waits under a transaction can go on when one of the locks on its matches goes, which takes the end of all
// others who hold it. It is stuck if each of these locks has a holder that is stuck itself; so is a transaction under
// which calls wait, if all of them are. Transactions that are stuck only because of each other, and wait for each other
// in a circle, are a deadlock, whatever others do.
//
// A circle may close when a transaction under which calls wait begins to wait for more, stops to wait for what might
// have come, or locks something: then it is suspected of being in one. And it may be left over when a transaction
// outside, which could have let go, does: then all that wait and hold something are suspects. They are looked at when
// the call that did it is done.

// suspect notes that t, if calls wait under it, may have closed a circle.
func (e *Engine) suspect(t *transaction) {
	if len(t.waiting) > 0 && !slices.Contains(e.suspects, t) {
		e.suspects = append(e.suspects, t)
	}
}

// suspectAll suspects every transaction that can be in a circle.
func (e *Engine) suspectAll() {
	for t := range e.blocked {
		if len(t.own)+len(t.taken)+len(t.read) > 0 {
			e.suspect(t)
		}
	}
}

// breakDeadlock aborts the youngest transaction of a circle through the oldest suspect, if there is one. It reports
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
		// What is stuck because of others than those in the circle is not the circle's to solve.
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

// waitGraph holds, for transactions under which calls wait, the locks of which one must go for one of the calls to go
// on: for each its other holders. A transaction that can go on without that is not in it.
type waitGraph map[*transaction][][]*transaction

// reach adds to g the transactions that t waits for, directly or not, and returns all of them, and t.
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

// ways returns the locks that t waits for, each as its other holders; nil if t can go on without the end of a
// transaction that waits.
func (e *Engine) ways(t *transaction) [][]*transaction {
	if t.prepared {
		return nil // others decide about it
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

// others returns who has the lock beside t.
func (l *lock) others(t *transaction) []*transaction {
	if l.owner != nil {
		return []*transaction{l.owner}
	}
	return slices.DeleteFunc(slices.Clone(l.readers), func(r *transaction) bool { return r == t })
}

// stuck returns those of some transactions that none of the others will ever let go on.
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

// goesOn reports whether one of the locks that t waits for goes if all end but those that wait.
func (g waitGraph) goesOn(t *transaction, waits map[*transaction]bool) bool {
	return slices.ContainsFunc(g[t], func(holders []*transaction) bool {
		return !slices.ContainsFunc(holders, func(h *transaction) bool { return waits[h] })
	})
}

// circle returns those of some transactions that wait for t and for which t waits, without a detour over others; t is
// among them if there are any.
func (g waitGraph) circle(t *transaction, some []*transaction) []*transaction {
	behind := g.walk(t, some)
	return slices.DeleteFunc(behind, func(x *transaction) bool { return !slices.Contains(g.walk(x, some), t) })
}

// walk returns those of some transactions to which one gets from x, in one step or more.
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
