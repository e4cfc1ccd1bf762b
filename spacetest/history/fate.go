package history

import (
	"fmt"
	"slices"
)

// resolve determines the fate of units whose own calls do not show it: from what other calls saw of them, and then from
// what would be missing if they had been committed, or not. A unit for which neither is possible took effect by half.
func (c *checker) resolve() {
	c.index()
	for _, u := range c.units {
		if u.fate == undecided {
			c.resolveBySight(u)
		}
	}
	c.index()
	for _, u := range c.units {
		if u.fate == undecided && u.txn != 0 {
			c.resolveByLoss(u)
		}
	}
}

// index computes the lives of all items from the known fates of units.
func (c *checker) index() {
	c.byN = c.newLives()
	c.sortLives()
}

// resolveBySight looks for calls of others that found what u wrote, or what u had taken.
func (c *checker) resolveBySight(u *unit) {
	var happened, undone *Op
	for _, o := range c.ops {
		if o.Outcome != OK || c.of[o] == u || o.Verb != Read && o.Verb != Take {
			continue
		}
		for _, i := range o.Items {
			l := c.byN[i.N]
			if l.by == u || i.V > 0 && c.onlyMaker(u, l, i) {
				happened = earlier(happened, o)
			} else if l.takenBy(u, o) {
				undone = earlier(undone, o)
			}
		}
	}
	switch {
	case happened != nil && undone != nil:
		c.violation(Half, u.name(), append(show(u), happened, undone)...)
		u.fate = committed
	case happened != nil:
		u.fate = committed
		u.effect.to = min(u.effect.to, happened.Return)
		u.freed = min(u.freed, u.effect.to)
	case undone != nil:
		u.fate = aborted
		u.freed = min(u.freed, undone.Return)
	}
}

// onlyMaker reports whether u asked for version i of l, and no other unit can have made it.
func (c *checker) onlyMaker(u *unit, l *life, i Item) bool {
	asked := false
	for _, w := range l.updates {
		switch {
		case !slices.Contains(w.Items, i) || c.of[w].undone(w, l.item) != nil:
		case c.of[w] == u:
			asked = true
		case c.of[w].fate != aborted:
			return false
		}
	}
	return asked
}

// takenBy reports whether u certainly took l before o.
func (l *life) takenBy(u *unit, o *Op) bool {
	return slices.ContainsFunc(l.holds, func(h *hold) bool {
		return h.by == u && u.txn != 0 && h.op.Verb == Take && h.op.Return < o.Call && u.undone(h.op, l.item) == nil
	})
}

// earlier returns which of two calls ended first; a may be nil.
func earlier(a, b *Op) *Op {
	if a == nil || b.Return < a.Return {
		return b
	}
	return a
}

// resolveByLoss checks what would be missing if u had been committed, or aborted.
func (c *checker) resolveByLoss(u *unit) {
	ifCommitted, ifAborted := c.lossIf(u, committed), c.lossIf(u, aborted)
	switch {
	case ifCommitted != nil && ifAborted != nil:
		c.violation(Half, fmt.Sprintf("%s: neither %v nor %v is there", u.name(), ifCommitted.item, ifAborted.item),
			append(show(u), ifCommitted.by, ifAborted.by)...)
		u.fate = undecided
	case ifCommitted != nil:
		u.fate = aborted
	case ifAborted != nil:
		u.fate = committed
	default:
		u.fate = undecided
	}
	c.index()
}

// lossIf returns an item of u that would be missing without a cause if u had that fate.
func (c *checker) lossIf(u *unit, f fate) *missing {
	u.fate = f
	c.index()
	for _, o := range u.ops {
		for _, i := range o.Items {
			m := c.missing(c.byN[i.N])
			if m != nil && !c.explain(m, map[*Op][]*missing{}, map[*Op]bool{}) {
				return m
			}
		}
	}
	return nil
}
