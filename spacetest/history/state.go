package history

import (
	"encoding/binary"
	"slices"
)

// state is the state of a sequential tuple space with transactions. It is packed into a string for comparison.
type state struct {
	items []entry // oldest first
	txns  []txnState
}

// entry is a stored item with its locks.
type entry struct {
	n, v    int
	taker   int // the transaction that has taken it; 0: none
	changer int // the transaction that has replaced v by changed; 0: none
	changed int
	readers []int // rising
}

// txnState is what only a transaction knows. Transactions that have neither written nor ended are left out.
type txnState struct {
	number int
	ended  bool
	drafts []int // numbers and versions, alternating
}

// visible reports whether u, a transaction or 0, can read the entry, and take it.
func (e *entry) visible(u int, take bool) bool {
	switch {
	case e.taker != 0, e.changer != 0 && e.changer != u:
		return false
	case take:
		return len(e.readers) == 0 || len(e.readers) == 1 && e.readers[0] == u
	}
	return true
}

// version returns the version that u sees.
func (e *entry) version(u int) int {
	if e.changer != 0 && e.changer == u {
		return e.changed
	}
	return e.v
}

// txn returns the state of a transaction, to be changed.
func (s *state) txn(number int) *txnState {
	i, found := slices.BinarySearchFunc(s.txns, number, func(t txnState, n int) int { return t.number - n })
	if !found {
		s.txns = slices.Insert(s.txns, i, txnState{number: number})
	}
	return &s.txns[i]
}

// release drops all locks of a transaction, except the takes of the items in keep, and its writes.
func (s *state) release(number int, keep []Item) {
	for i := range s.items {
		e := &s.items[i]
		if e.taker == number && !slices.ContainsFunc(keep, func(k Item) bool { return k.N == e.n }) {
			e.taker = 0
		}
		if e.changer == number {
			e.changer, e.changed = 0, 0
		}
		e.readers = slices.DeleteFunc(e.readers, func(r int) bool { return r == number })
	}
	s.txn(number).drafts = nil
}

// commit makes the changes of a transaction visible to all, and removes the items it has taken.
func (s *state) commit(number int) {
	s.items = slices.DeleteFunc(s.items, func(e entry) bool { return e.taker == number })
	for i := range s.items {
		if e := &s.items[i]; e.changer == number {
			e.v = e.changed
		}
	}
	drafts := s.txn(number).drafts
	s.release(number, nil)
	for i := 0; i < len(drafts); i += 2 {
		s.items = append(s.items, entry{n: drafts[i], v: drafts[i+1]})
	}
	s.txn(number).ended = true
}

// remove removes an item, wherever it is, and reports whether it existed.
func (s *state) remove(n int) bool {
	before := len(s.items)
	s.items = slices.DeleteFunc(s.items, func(e entry) bool { return e.n == n })
	found := len(s.items) < before
	for i := range s.txns {
		found = s.txns[i].undraft(n) || found
	}
	return found
}

// undraft removes an item that the transaction has written.
func (t *txnState) undraft(n int) bool {
	for i := 0; i < len(t.drafts); i += 2 {
		if t.drafts[i] == n {
			t.drafts = slices.Delete(t.drafts, i, i+2)
			return true
		}
	}
	return false
}

// pack returns the state as a string.
func (s *state) pack() string {
	var b []byte
	put := func(ns ...int) {
		for _, n := range ns {
			b = binary.AppendUvarint(b, uint64(n))
		}
	}
	put(len(s.items))
	for i := range s.items {
		e := &s.items[i]
		put(e.n, e.v, e.taker, e.changer, e.changed, len(e.readers))
		put(e.readers...)
	}
	for _, t := range s.txns {
		if t.ended || len(t.drafts) > 0 {
			put(t.number, btoi(t.ended), len(t.drafts))
			put(t.drafts...)
		}
	}
	return string(b)
}

// unpack is the inverse of pack.
func unpack(packed string) *state {
	b := []byte(packed)
	get := func() int {
		n, size := binary.Uvarint(b)
		b = b[size:]
		return int(n)
	}
	list := func() []int {
		var ns []int
		for n := get(); n > 0; n-- {
			ns = append(ns, get())
		}
		return ns
	}
	s := new(state)
	for n := get(); n > 0; n-- {
		s.items = append(s.items, entry{n: get(), v: get(), taker: get(), changer: get(), changed: get(), readers: list()})
	}
	for len(b) > 0 {
		s.txns = append(s.txns, txnState{number: get(), ended: get() == 1, drafts: list()})
	}
	return s
}
