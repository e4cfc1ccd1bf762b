package history

import (
	"slices"
	"time"
)

// life is what a history shows of one item.
type life struct {
	item     Item
	written  *Op // nil if the history has no such write, or it was refused
	by       *unit
	stored   bool          // whether written certainly took effect
	pos      int           // within the items of written
	holds    []*hold       // why it was not available, and when
	ends     []*Op         // takes and cancels that had the item and did not give it back
	doubt    time.Duration // the time from which a call of unknown outcome may have removed it
	pending  []span        // spans in which a call of unknown outcome may have locked it
	lost     bool          // it disappeared; calls that missed it are not reported individually
	updates  []*Op         // calls that made a new version
	findings []finding     // reads and takes that had the item
}

// finding is a version of an item that a call found.
type finding struct {
	op   *Op
	item Item
}

// newLives computes the life of every item in a history.
func (c *checker) newLives() map[int]*life {
	all := map[int]*life{}
	of := func(i Item) *life {
		if all[i.N] == nil {
			all[i.N] = &life{item: Item{Key: i.Key, Color: i.Color, N: i.N}, doubt: Never}
		}
		return all[i.N]
	}
	for _, o := range c.ops {
		for pos, i := range o.Items {
			l := of(i)
			switch {
			case o.Outcome == Refused || o.Outcome == None || o.Outcome == Ended || o.Verb == Rollback:
			case o.writes():
				l.written, l.by, l.pos, l.item = o, c.of[o], pos, i
				l.stored = c.happened(o)
				l.holds = append(l.holds, expiry(o))
			case o.Verb == Update:
				before := i
				before.V--
				l.updates = append(l.updates, o)
				l.hold(c.of[o], o)
				if c.happened(o) {
					l.findings = append(l.findings, finding{o, before})
				}
			default:
				l.hold(c.of[o], o)
				if o.Outcome == OK && o.Verb != Cancel {
					l.findings = append(l.findings, finding{o, i})
				}
			}
		}
	}
	for _, l := range all {
		l.settle()
	}
	c.doubts(all)
	return all
}

// happened reports whether o certainly had its effect within its unit.
func (c *checker) happened(o *Op) bool {
	return o.Outcome == OK || o.Outcome == Unknown && c.of[o].fate == committed && (o.Txn == 0 || o.Verb == Commit)
}

func (l *life) hold(u *unit, o *Op) {
	if h := held(u, o, l.item); h != nil {
		l.holds = append(l.holds, h)
	}
}

// settle records what removed the item for good. A cancel of an item that a transaction had taken did not remove it a
// second time.
func (l *life) settle() {
	if l.written != nil {
		if r := l.by.undone(l.written, Item{}); r != nil {
			l.holds = append(l.holds, &hold{op: r, sure: span{r.Return, Never}, maybe: span{r.Call, Never}})
		}
	}
	for _, h := range l.holds {
		if h.by == nil || h.lock {
			continue
		}
		taken := h.op.Verb == Cancel && slices.ContainsFunc(l.holds, func(t *hold) bool {
			return t.by != nil && t.by.txn != 0 && t.op.Verb == Take &&
				span{t.op.Call, t.by.effect.to}.overlaps(h.op.Call, h.op.Return)
		})
		if !taken {
			l.ends = append(l.ends, h.op)
		}
	}
}

// doubts records the possible effects of calls with unknown outcomes.
func (c *checker) doubts(all map[int]*life) {
	for _, o := range c.ops {
		if o.Outcome != Unknown || o.Verb != Take && o.Verb != Cancel && o.Verb != Read && o.Verb != Update {
			continue
		}
		for _, l := range all {
			if c.mayBeRemovedBy(l, o) {
				l.doubt = min(l.doubt, o.Call)
			}
			if o.Txn != 0 && (o.Verb != Update && o.Pattern.Match(l.item) || slices.ContainsFunc(o.Items, l.item.same)) {
				l.pending = append(l.pending, span{o.Call, c.of[o].freed})
			}
		}
	}
}

// mayBeRemovedBy reports whether o, whose outcome is unknown, may have removed l for good.
func (c *checker) mayBeRemovedBy(l *life, o *Op) bool {
	switch {
	case len(l.ends) > 0 || c.of[o].fate == aborted && o.Txn != 0:
		return false
	case o.Verb == Take:
		return o.Pattern.Match(l.item)
	}
	return o.Verb == Cancel && slices.ContainsFunc(o.Items, l.item.same)
}

// appears returns the span in which l became visible to u, if it ever did.
func (l *life) appears(u *unit) (s span, ever bool) {
	if l.written == nil {
		return s, false
	}
	if l.by.txn == 0 {
		return l.by.effect, true
	}
	if l.by == u {
		return span{l.written.Call, l.written.latest}, true
	}
	return l.by.effect, l.by.fate != aborted && l.by.undone(l.written, Item{}) == nil
}

// surelyFree reports whether u could certainly have read or taken l at every instant from a to b.
func (l *life) surelyFree(u *unit, take bool, a, b time.Duration) bool {
	return l.doubt >= b && l.shouldBeFree(u, take, a, b)
}

// shouldBeFree is surelyFree under the assumption that no call of unknown outcome has removed l.
func (l *life) shouldBeFree(u *unit, take bool, a, b time.Duration) bool {
	s, ever := l.appears(u)
	if !ever || !l.stored || s.to > a || l.by.fate != committed && l.by != u {
		return false
	}
	for _, p := range l.pending {
		if p.overlaps(a, b) {
			return false
		}
	}
	for _, h := range l.holds {
		if h.hides(u, take) && h.maybe.overlaps(a, b) {
			return false
		}
	}
	return true
}

// denied returns the reason why u cannot have read or taken l between a and b, or nil.
func (l *life) denied(u *unit, take bool, a, b time.Duration) *hold {
	s, ever := l.appears(u)
	if !ever || s.from > b {
		return &hold{by: l.by, op: l.written, lock: l.by != nil && l.by.txn != 0}
	}
	for _, h := range l.holds {
		if h.hides(u, take) && h.sure.covers(max(a, s.from), b) {
			return h
		}
	}
	return nil
}

// surelyLocked reports whether l existed at every instant from a to b, but was locked by other units than u.
func (l *life) surelyLocked(u *unit, take bool, a, b time.Duration) bool {
	s, ever := l.appears(u)
	if !ever || !l.stored || s.to > a || l.doubt < b || l.by.fate != committed {
		return false
	}
	locked := false
	for _, h := range l.holds {
		until := h.sure.to
		if h.by != nil && h.by.txn != 0 {
			until = min(until, h.by.held)
		}
		switch {
		case h.by == u && h.hides(u, take), h.by == nil && h.maybe.overlaps(a, b),
			!h.lock && h.by != nil && h.by.txn == 0 && h.maybe.overlaps(a, b):
			return false
		case h.by != nil && h.by.txn != 0 && h.hides(u, take):
			locked = locked || span{h.sure.from, until}.covers(a, b)
		}
	}
	return locked
}

// older reports whether l certainly became visible to u before m did. Uncommitted writes of u itself have no place in
// the order.
func (l *life) older(m *life, u *unit) bool {
	if l.written == m.written {
		return l.pos < m.pos
	}
	if l.by == m.by {
		return l.written.latest <= m.written.Call
	}
	if l.by == u && u.txn != 0 || m.by == u && u.txn != 0 || l.written.Late {
		return false
	}
	a, _ := l.appears(u)
	b, ever := m.appears(u)
	return ever && a.to <= b.from
}
