package store

// link ties the entry in a slot into one list.
type link struct{ prev, next Slot }

// Links are the links of all entries of a table, for lists that share no entry.
type Links struct{ slab[link] }

// Next returns the slot after s in its list, 0 at the end.
func (ls *Links) Next(s Slot) Slot { return ls.at(s).next }

// List is a doubly linked list of slots. The links are kept outside it, in Links.
type List struct {
	head, tail Slot
	n          uint32
}

// First returns the first slot, 0 if there is none.
func (l *List) First() Slot { return l.head }

// Append adds s at the end. s must not be in any list with these links.
func (l *List) Append(links *Links, s Slot) {
	links.reach(s)
	*links.at(s) = link{prev: l.tail}
	if l.tail != 0 {
		links.at(l.tail).next = s
	} else {
		l.head = s
	}
	l.tail = s
	l.n++
}

// Remove removes s, which is in the list.
func (l *List) Remove(links *Links, s Slot) {
	k := *links.at(s)
	if k.prev != 0 {
		links.at(k.prev).next = k.next
	} else {
		l.head = k.next
	}
	if k.next != 0 {
		links.at(k.next).prev = k.prev
	} else {
		l.tail = k.prev
	}
	l.n--
}

// insert links in an entry of t at its place in the order; linked reports whether an entry with a link in l is in l.
//
// The links of a removed entry still name its neighbours at that time. Following them leads, nearly always at once, to
// an entry that is still in the list. From there, or from the ends, the search goes in both directions, so its cost is
// the distance to the nearer start.
func (l *List) insert(links *Links, s Slot, t *Table, linked func(Slot) bool) {
	links.reach(s)
	lo, hi := l.head, l.tail
	if p := l.neighbour(links, s, func(at Slot) (Slot, bool) { p := links.at(at).prev; return p, t.older(p, at) },
		linked); p != 0 {
		lo = links.at(p).next
	}
	if n := l.neighbour(links, s, func(at Slot) (Slot, bool) { n := links.at(at).next; return n, t.older(at, n) },
		linked); n != 0 {
		hi = links.at(n).prev
	}
	for {
		if lo == 0 || t.older(s, lo) {
			l.insertBefore(links, s, lo)
			return
		}
		if hi == 0 || t.older(hi, s) {
			l.insertAfter(links, s, hi)
			return
		}
		lo, hi = links.at(lo).next, links.at(hi).prev
	}
}

// maxStale is the maximum number of stale links to follow.
const maxStale = 64

// neighbour follows stale links from s, as long as step says that they agree with the order, to an entry that is in l;
// it returns 0 if it finds none.
func (l *List) neighbour(links *Links, s Slot, step func(Slot) (Slot, bool), linked func(Slot) bool) Slot {
	if l.n == 0 {
		return 0
	}
	at := s
	for range maxStale {
		next, ok := step(at)
		if next == 0 || !ok {
			return 0
		}
		if linked(next) {
			return next
		}
		at = next
	}
	return 0
}

// insertBefore links s in before next, or at the end if next is 0.
func (l *List) insertBefore(links *Links, s, next Slot) {
	prev := l.tail
	if next != 0 {
		prev = links.at(next).prev
	}
	*links.at(s) = link{prev, next}
	if prev != 0 {
		links.at(prev).next = s
	} else {
		l.head = s
	}
	if next != 0 {
		links.at(next).prev = s
	} else {
		l.tail = s
	}
	l.n++
}

// insertAfter links s in after prev, or at the front if prev is 0.
func (l *List) insertAfter(links *Links, s, prev Slot) {
	if prev == 0 {
		l.insertBefore(links, s, l.head)
		return
	}
	l.insertBefore(links, s, links.at(prev).next)
}
