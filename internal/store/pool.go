package store

import (
	"slices"

	"github.com/gospaces/gospaces/template"
)

// Pool is a set of entries of one kind that are found in the same ways: by age, and by the indexes that start by
// themselves. A table has one of those that are free, and one of those that are read-locked, past which no take must
// have to scan. Entries that only one transaction may have are in none.
type Pool struct {
	table   *Table
	state   State // of its entries
	order   Links
	all     List // oldest first
	indexes []*Index
	demands []*demand
	walkers []Walker
}

// Walker is told of what enters or leaves a pool out of order while it walks it.
type Walker interface {
	// Entered tells that an entry was linked in at its place.
	Entered(p *Pool, s Slot)
	// Leaving tells that an entry is about to be taken out.
	Leaving(p *Pool, s Slot)
}

// Attach has w told of changes from now on; it does nothing if it is told already.
func (p *Pool) Attach(w Walker) {
	if !slices.Contains(p.walkers, w) {
		p.walkers = append(p.walkers, w)
	}
}

// Detach ends what Attach began.
func (p *Pool) Detach(w Walker) {
	p.walkers = slices.DeleteFunc(p.walkers, func(o Walker) bool { return o == w })
}

// State returns the state of the entries in p.
func (p *Pool) State() State { return p.state }

// Len returns the number of entries.
func (p *Pool) Len() int { return int(p.all.n) }

// Append adds an entry that is younger than all others.
func (p *Pool) Append(s Slot) {
	p.table.entries.at(s).State = p.state
	p.all.Append(&p.order, s)
	row := p.table.Row(s)
	for _, ix := range p.indexes {
		ix.appended(s, row)
	}
}

// Insert adds an entry in its place.
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
	for _, w := range p.walkers { // what Append adds is ahead of them
		w.Entered(p, s)
	}
}

// holds reports whether the entry in slot s is in p.
func (p *Pool) holds(s Slot) bool {
	en := p.table.entries.at(s)
	return en.ID != 0 && en.State == p.state
}

// Remove takes an entry out. Its state is the caller's to set.
func (p *Pool) Remove(s Slot) {
	for _, w := range p.walkers {
		w.Leaving(p, s)
	}
	for _, ix := range p.indexes {
		ix.deleting(s)
	}
	p.all.Remove(&p.order, s)
}

// reset forgets everything about a pool without entries but what has been learned of the demand for indexes.
func (p *Pool) reset() {
	p.order = Links{}
	for _, ix := range p.indexes {
		ix.reset()
	}
}

// Path is a list of entries by age that holds all matches of some conditions: those of a pool, or those that an index
// has for some values.
type Path struct {
	pool  *Pool
	ix    *Index // nil: the list is the pool's
	hash  uint64 // of the values, for ix
	links *Links
}

// Shortest returns the shortest path to the entries that fulfil conds, which fix the fields in eq, and its first entry;
// 0 if there is none.
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

// First returns the first entry as things are now, 0 if there is none.
func (p *Path) First() Slot {
	if p.ix == nil {
		return p.pool.all.head
	}
	if l := p.ix.keep.(*hashed).list(p.hash); l != nil {
		return l.head
	}
	return 0
}

// Next returns the entry after the one in slot s, which is on the path; 0 at the end.
func (p *Path) Next(s Slot) Slot { return p.links.Next(s) }

// Previous returns the entry before the one in slot s, which is on the path; 0 at the beginning.
func (p *Path) Previous(s Slot) Slot { return p.links.at(s).prev }

// Indexed reports whether the path is one of an index.
func (p *Path) Indexed() bool { return p.ix != nil }

// Uses reports whether the path is one of ix.
func (p *Path) Uses(ix *Index) bool { return p.ix == ix }
