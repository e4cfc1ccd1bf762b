package engine

// link ties the entry in a slot into one list.
type link struct{ prev, next slot }

// list is a doubly linked list of slots, in order of visibility. Its links lie in a slab beside it, one slab for
// all lists that an entry can be in only one of.
type list struct {
	head, tail slot
	n          uint32
}

func (l *list) pushBack(links *slab[link], s slot) {
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

func (l *list) remove(links *slab[link], s slot) {
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

// insert links in an entry of k where its order says; linked tells whether an entry with a link in l is in l.
//
// The links of an entry that was taken out still name its neighbours of then. Following them leads, nearly always at once, to one
// that is still there; from there, or from the ends, the place is looked for in both directions, so that the nearer one counts.
func (l *list) insert(links *slab[link], s slot, k *kind, linked func(slot) bool) {
	links.reach(s)
	lo, hi := l.head, l.tail
	if p := l.neighbour(links, s, func(at slot) (slot, bool) { p := links.at(at).prev; return p, k.older(p, at) }, linked); p != 0 {
		lo = links.at(p).next
	}
	if n := l.neighbour(links, s, func(at slot) (slot, bool) { n := links.at(at).next; return n, k.older(at, n) }, linked); n != 0 {
		hi = links.at(n).prev
	}
	for {
		if lo == 0 || k.older(s, lo) {
			l.insertBefore(links, s, lo)
			return
		}
		if hi == 0 || k.older(hi, s) {
			l.insertAfter(links, s, hi)
			return
		}
		lo, hi = links.at(lo).next, links.at(hi).prev
	}
}

// maxStale is how many links of entries that are gone too are followed.
const maxStale = 64

// neighbour follows stale links from s, as long as step says that they agree with the order, to an entry that is in l; 0 if it finds none.
func (l *list) neighbour(links *slab[link], s slot, step func(slot) (slot, bool), linked func(slot) bool) slot {
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

// insertBefore links s in before next, or at the end if that is 0.
func (l *list) insertBefore(links *slab[link], s, next slot) {
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

// insertAfter links s in after prev, or at the front if that is 0.
func (l *list) insertAfter(links *slab[link], s, prev slot) {
	if prev == 0 {
		l.insertBefore(links, s, l.head)
		return
	}
	l.insertBefore(links, s, links.at(prev).next)
}
