package history

import "fmt"

// checkLost looks for acknowledged items that disappeared without a cause: no call got them, they did not expire, and a
// call found nothing where they should have been. A take or cancel of unknown outcome explains as many disappearances
// as it asked for items; items and such calls are matched, so that no call explains too many.
func (c *checker) checkLost() {
	explains := map[*Op][]*missing{}
	for _, l := range c.lives {
		if m := c.missing(l); m != nil && !c.explain(m, explains, map[*Op]bool{}) {
			l.lost = true
			c.violation(Lost, fmt.Sprint(l.item), l.written, m.by)
		}
	}
}

// missing is an item that disappeared, and the first call that proves it.
type missing struct {
	*life
	by *Op
}

// missing returns nil unless l was acknowledged, has no known end, and was missed by a call.
func (c *checker) missing(l *life) *missing {
	if l.written == nil || !l.stored || l.by.fate != committed || len(l.ends) > 0 {
		return nil
	}
	for _, h := range l.holds {
		if h.by != nil && h.by.fate == undecided && h.op.Verb == Take {
			return nil
		}
	}
	var m *missing
	for _, o := range c.ops {
		foundNone := o.Outcome == None && (o.Verb == Take || o.Verb == Read) && o.Pattern.Match(l.item)
		if foundNone && l.shouldBeFree(c.of[o], o.Verb == Take, o.decides(), o.Return) &&
			(m == nil || o.Return < m.by.Return) {
			m = &missing{life: l, by: o}
		}
	}
	return m
}

// explain assigns m to a call of unknown outcome, moving others to other calls if necessary: an augmenting path of a
// bipartite matching. seen holds the calls already tried on this path.
func (c *checker) explain(m *missing, explains map[*Op][]*missing, seen map[*Op]bool) bool {
	for _, o := range c.unknown {
		if seen[o] || o.Call > m.by.Return || !c.mayBeRemovedBy(m.life, o) {
			continue
		}
		seen[o] = true
		if len(explains[o]) < max(o.Max, 1) {
			explains[o] = append(explains[o], m)
			return true
		}
		for i, other := range explains[o] {
			if c.explain(other, explains, seen) {
				explains[o][i] = m
				return true
			}
		}
	}
	return false
}
