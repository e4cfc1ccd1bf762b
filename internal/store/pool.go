package store

import (
	"slices"

	"github.com/gospaces/gospaces/template"
)

// Pool is a set of entries of one kind that are found in the same ways: by age, and by indexes that are started
// automatically. A table has one pool for free entries and one for read-locked ones, so that no take scans over the
// latter. Entries that only one transaction may have are in neither.
type Pool struct {
	table   *Table
	state   State // of its entries
	order   Links
	all     List // oldest first
	indexes []*Index
	demands []*demand
	walkers []Walker
}

// Walker is told of entries that enter or leave a pool out of order during a walk.
type Walker interface {
	// Entered is called after an entry was inserted at its place.
	Entered(p *Pool, s Slot)
	// Leaving is called before an entry is removed.
	Leaving(p *Pool, s Slot)
}

// Attach tells w of changes from now on; it does nothing if w is attached already.
func (p *Pool) Attach(w Walker) {
	if !slices.Contains(p.walkers, w) {
		p.walkers = append(p.walkers, w)
	}
}

// Detach undoes Attach.
func (p *Pool) Detach(w Walker) {
	p.walkers = slices.DeleteFunc(p.walkers, func(o Walker) bool { return o == w })
}

// State returns the state of the entries in p.
func (p *Pool) State() State { return p.state }

// Len returns the number of entries.
func (p *Pool) Len() int { return int(p.all.n) }

// Oldest returns the oldest entry in p; 0 if there is none.
func (p *Pool) Oldest() Slot { return p.all.head }

// Append adds an entry that is younger than all others in p.
func (p *Pool) Append(s Slot) {
	p.table.entries.at(s).State = p.state
	p.all.Append(&p.order, s)
	row := p.table.Row(s)
	for _, ix := range p.indexes {
		ix.appended(s, row)
	}
}

// Insert adds an entry at its place in the order.
func (p *Pool) Insert(s Slot) {
	if t := p.table; p.all.tail == 0 || t.older(p.all.tail, s) {
		p.Append(s)
	} else {
		t.entries.at(s).State = p.state
		p.all.insert(&p.order, s, t, p.holds)
		row := t.Row(s)
		for _, ix := range p.indexes {
			ix.inserted(s, row)
		}
	}
	for _, w := range p.walkers { // Append needs no call: its entry is ahead of every walker
		w.Entered(p, s)
	}
}

// holds reports whether the entry in slot s is in p.
func (p *Pool) holds(s Slot) bool {
	en := p.table.entries.at(s)
	return en.ID != 0 && en.State == p.state
}

// Remove removes an entry. The caller sets its state.
func (p *Pool) Remove(s Slot) {
	for _, w := range p.walkers {
		w.Leaving(p, s)
	}
	for _, ix := range p.indexes {
		ix.deleting(s)
	}
	p.all.Remove(&p.order, s)
}

// reset clears a pool without entries, except for the demand for indexes.
func (p *Pool) reset() {
	p.order = Links{}
	for _, ix := range p.indexes {
		ix.reset()
	}
}

// Path is a list of entries by age that holds all matches of some conditions: the list of a pool, or the list that an
// index has for some values.
type Path struct {
	pool  *Pool
	ix    *Index // nil: the list is the pool's
	hash  uint64 // of the values, for ix
	links *Links
}

// Shortest returns the shortest path to the entries that satisfy conds, which fix the fields in eq, and its first
// entry, or 0 if it is empty.
func (p *Pool) Shortest(conds []template.Cond, eq FieldSet) (path Path, first Slot) {
	path, first = Path{pool: p, links: &p.order}, p.all.head
	if eq == 0 {
		return path, first
	}
	shortest := p.all.n
	for _, ix := range p.indexes {
		h, ok := ix.keep.(*hashed)
		if !ok || !ix.Live() || !ix.Eq.Within(eq) {
			continue
		}
		hash := p.table.store.HashConds(conds, ix.Eq)
		var l List
		if b := h.list(hash); b != nil {
			l = *b
		}
		if l.n <= shortest {
			ix.idle = 0
			shortest, first = l.n, l.head
			path.ix, path.hash, path.links = ix, hash, &h.links
		}
		if shortest == 0 {
			break
		}
	}
	return path, first
}

// First returns the current first entry, or 0 if there is none.
func (p *Path) First() Slot {
	if p.ix == nil {
		return p.pool.all.head
	}
	if l := p.ix.keep.(*hashed).list(p.hash); l != nil {
		return l.head
	}
	return 0
}

// Next returns the entry after slot s, which is on the path; 0 at the end.
func (p *Path) Next(s Slot) Slot { return p.links.Next(s) }

// Previous returns the entry before slot s, which is on the path; 0 at the beginning.
func (p *Path) Previous(s Slot) Slot { return p.links.at(s).prev }

// Indexed reports whether the path is one of an index.
func (p *Path) Indexed() bool { return p.ix != nil }

// Uses reports whether the path is one of ix.
func (p *Path) Uses(ix *Index) bool { return p.ix == ix }
