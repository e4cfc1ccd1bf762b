package engine

import (
	"github.com/gospaces/gospaces/template"
)

// entry is one stored entry. It holds no pointer, so that the collector skips millions of them.
type entry struct {
	id      uint64
	order   uint64 // rises with visibility
	expires int64
	lsn     uint64 // of the change that made it visible
	row     ref
	size    uint32 // of the row, in bytes
}

// kind is everything the engine holds of one kind of entry: its schema, its place among other kinds, its entries and indexes,
// and the calls that wait for templates of it.
type kind struct {
	id      KindID
	schema  *template.Schema
	family  []*kind    // itself and the kinds that embed it: where a template of this kind finds entries
	lineage []ancestor // itself and the kinds it embeds: whose templates select entries of this kind
	watch   watch      // waiting calls and registrations with a template of this kind

	entries slab[entry]
	order   slab[link]
	all     list // every entry, oldest first
	unused  slot // first slot never used - 1
	free    []slot
	expiry  expiry
	indexes []*index
	demands []*demand

	registered uint64 // LSN of the last change to the schema
	changed    uint64 // LSN of the last change to the set of entries
	removed    uint64 // LSN of the last removal
}

// ancestor is a kind seen from one that embeds it.
type ancestor struct {
	*kind
	fields []int // position here of each of the ancestor's fields; nil if it is the kind itself
}

// absent stands for a field that a kind does not have; such a field of a row is null.
const absent = 1 << 20

// insert stores an entry at the end of the order, in all lists and indexes.
func (k *kind) insert(e *Engine, id uint64, expires int64, row template.Row) slot {
	s := k.unusedSlot()
	e.lastOrder++
	*k.entries.at(s) = entry{id: id, order: e.lastOrder, expires: expires, lsn: e.lsn, row: e.arena.put(row), size: uint32(len(row))}
	k.all.pushBack(&k.order, s)
	if expires != Forever {
		k.expiry.add(e, k, s)
	}
	for _, ix := range k.indexes {
		ix.inserted(s, row)
	}
	e.places.put(id, place{kind: k.id, slot: s})
	k.changed = e.lsn
	return s
}

// delete removes an entry from all lists and indexes. Its row stays readable until the next call of the engine.
func (k *kind) delete(e *Engine, s slot) {
	en := k.entries.at(s)
	for _, ix := range k.indexes {
		ix.deleting(s)
	}
	if en.expires != Forever {
		k.expiry.remove(k, s)
	}
	k.all.remove(&k.order, s)
	e.places.remove(en.id)
	e.garbage = append(e.garbage, en.row)
	en.id = 0
	k.free = append(k.free, s)
	k.changed, k.removed = e.lsn, e.lsn
	if k.all.n == 0 {
		k.shrink()
	}
}

// unusedSlot returns a slot for a new entry.
func (k *kind) unusedSlot() slot {
	if n := len(k.free); n > 0 {
		s := k.free[n-1]
		k.free = k.free[:n-1]
		return s
	}
	k.unused++
	k.entries.reach(k.unused)
	return k.unused
}

// shrink gives back what a kind that has become empty kept for many entries.
func (k *kind) shrink() {
	if k.unused < 16*chunkSize {
		return
	}
	k.entries, k.order, k.free, k.unused = slab[entry]{}, slab[link]{}, nil, 0
	k.expiry.links = slab[link]{}
	for _, ix := range k.indexes {
		ix.reset()
	}
}

// row returns the fields of the entry in slot s.
func (k *kind) row(e *Engine, s slot) template.Row {
	en := k.entries.at(s)
	return e.arena.get(en.row, en.size)
}

// alive reports whether the entry in slot s has not expired.
func (k *kind) alive(e *Engine, s slot) bool { return k.entries.at(s).expires > e.now }

// visible returns the number of entries that have not expired.
func (k *kind) visible(e *Engine) int { return int(k.all.n) - k.expiry.overdue(e, k) }

// relate recomputes families and lineages after a kind was added or extended.
func (e *Engine) relate() {
	for _, k := range e.kinds {
		k.family = k.family[:0]
		k.lineage = append(k.lineage[:0], ancestor{kind: k})
	}
	for _, k := range e.kinds {
		k.family = append(k.family, k)
		for _, name := range k.schema.Supers {
			super, ok := e.byName[name]
			if !ok {
				continue
			}
			s := e.kinds[super-1]
			s.family = append(s.family, k)
			k.lineage = append(k.lineage, ancestor{kind: s, fields: positions(s.schema, k.schema)})
		}
	}
}

// positions returns where each field of super is in sub.
func positions(super, sub *template.Schema) []int {
	at := make([]int, len(super.Fields))
	for i, f := range super.Fields {
		if at[i] = sub.Index(f.Name); at[i] < 0 {
			at[i] = absent
		}
	}
	return at
}

// condsFor returns conds, which name fields of super, as conditions on this kind's own rows.
func (k *kind) condsFor(super *kind, conds []template.Cond) []template.Cond {
	if super == k || len(conds) == 0 {
		return conds
	}
	at := k.fieldsOf(super)
	own := make([]template.Cond, len(conds))
	for i, c := range conds {
		own[i] = c
		own[i].Field = at[c.Field]
	}
	return own
}

// fieldsOf returns the positions here of super's fields.
func (k *kind) fieldsOf(super *kind) []int {
	for _, a := range k.lineage {
		if a.kind == super {
			return a.fields
		}
	}
	return nil
}
