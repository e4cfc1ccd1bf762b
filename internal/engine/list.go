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
