package engine

// pool is a set of entries of one kind that are found in the same ways: by age, and by the indexes that start by themselves. A kind has
// one of those that are free, and one of those that are read-locked, past which no take must have to scan. Entries that nobody but one
// transaction may have are in none.
type pool struct {
	kind    *kind
	state   state // of its entries
	order   slab[link]
	all     list // oldest first
	indexes []*index
	demands []*demand

	searches []*Search // that walk it
}

// append adds an entry that is younger than all others.
func (p *pool) append(e *Engine, s slot) {
	p.kind.entries.at(s).state = p.state
	p.all.pushBack(&p.order, s)
	row := p.kind.row(e, s)
	for _, ix := range p.indexes {
		ix.appended(s, row)
	}
}

// insert adds an entry in its place.
func (p *pool) insert(e *Engine, s slot) {
	if k := p.kind; p.all.tail == 0 || k.older(p.all.tail, s) {
		p.append(e, s)
	} else {
		k.entries.at(s).state = p.state
		p.all.insert(&p.order, s, k, p.holds)
		row := k.row(e, s)
		for _, ix := range p.indexes {
			ix.inserted(s, row)
		}
	}
	for _, x := range p.searches { // what append adds is before their frontiers
		x.entered(p, s)
	}
}

// holds reports whether the entry in slot s is in p.
func (p *pool) holds(s slot) bool {
	en := p.kind.entries.at(s)
	return en.id != 0 && en.state == p.state
}

// remove takes an entry out.
func (p *pool) remove(s slot) {
	for _, x := range p.searches {
		x.leaving(p, s)
	}
	for _, ix := range p.indexes {
		ix.deleting(s)
	}
	p.all.remove(&p.order, s)
}

// reset forgets everything about a pool without entries but what has been learned of the demand for indexes.
func (p *pool) reset() {
	p.order = slab[link]{}
	for _, ix := range p.indexes {
		ix.reset()
	}
}
