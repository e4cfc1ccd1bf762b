package history

import (
	"slices"
	"time"
)

// life is what a history says about the time in which one item was visible.
type life struct {
	item    Item
	written *Op           // nil if the history has no such write, or it was refused
	pos     int           // within the items of written
	ends    []*Op         // takes and cancels that had the item
	doubt   time.Duration // since when a call of unknown outcome may have removed it
	lost    bool          // it disappeared; the calls that missed it are not reported one by one
	diesAt  time.Duration // the earliest instant at which it can have gone
	goneBy  time.Duration // the instant by which it was gone for sure
}

// lives works out the life of every item that a history mentions.
func lives(ops []*Op) map[int]*life {
	all := map[int]*life{}
	of := func(i Item) *life {
		if all[i.N] == nil {
			all[i.N] = &life{item: i, doubt: Never, diesAt: Never, goneBy: Never}
		}
		return all[i.N]
	}
	for _, o := range ops {
		for pos, i := range o.Items {
			l := of(i)
			switch {
			case o.Outcome == Refused || o.Outcome == None:
			case o.Verb == Write:
				l.written, l.pos = o, pos
				l.endsWithin(plus(o.Call, o.lease()), plus(o.end(), o.lease()))
			case o.Outcome == OK && (o.Verb == Take || o.Verb == Cancel):
				l.ends = append(l.ends, o)
				l.endsWithin(o.Call, o.Return)
			}
		}
	}
	doubts(ops, all)
	return all
}

func (l *life) endsWithin(from, to time.Duration) {
	l.diesAt, l.goneBy = min(l.diesAt, from), min(l.goneBy, to)
}

// doubts notes for items without a known end since when a call of unknown outcome may have removed them.
func doubts(ops []*Op, all map[int]*life) {
	for _, o := range ops {
		if o.Outcome != Unknown {
			continue
		}
		for _, l := range all {
			if l.mayBeRemovedBy(o) {
				l.doubt = min(l.doubt, o.Call)
			}
		}
	}
}

func (l *life) mayBeRemovedBy(o *Op) bool {
	switch {
	case len(l.ends) > 0:
		return false
	case o.Verb == Take:
		return o.Pattern.Match(l.item)
	}
	return o.Verb == Cancel && slices.Contains(o.Items, l.item)
}

// surelyVisible reports whether l was visible at every instant of the interval.
func (l *life) surelyVisible(from, to time.Duration) bool {
	return l.written != nil && l.written.end() <= from && l.diesAt >= to && l.doubt >= to
}

// maybeVisible reports whether l can have been visible at some instant of the interval.
func (l *life) maybeVisible(from, to time.Duration) bool {
	return l.written != nil && l.written.Call <= to && l.goneBy >= from
}

// older reports whether l became visible before m for sure.
func (l *life) older(m *life) bool {
	if l.written == m.written {
		return l.pos < m.pos
	}
	return l.written.end() <= m.written.Call
}
