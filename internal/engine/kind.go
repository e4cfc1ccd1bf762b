package engine

import (
	"github.com/gospaces/gospaces/template"
)

// entry is one stored entry. It holds no pointer, so that the collector skips millions of them, and fills one line of the processor's cache.
type entry struct {
	id       uint64
	order    uint64 // rises with visibility
	expires  int64
	lsn      uint64 // of the change that made it what it is
	row      ref
	size     uint32 // of the row, in bytes
	version  uint32
	attempts uint32
	state    state
	imaged   uint16 // number of the last image that need not show it any more
	_        [cacheLine - 56]byte
}

// state says who may have an entry. In all states but the first two it is in no pool.
type state uint8

const (
	free    state = iota // everybody
	shared               // everybody may read it; its only reader may take it
	taken                // nobody, unless the transaction that took it is aborted
	written              // the transaction that wrote it
	changed              // the transaction that changed it: the entry has the new fields, the lock the old ones
	delayed              // nobody yet
)

// kind is everything the engine holds of one kind of entry: its schema, its place among other kinds, its entries and indexes,
// and the calls that wait for templates of it.
type kind struct {
	id      KindID
	schema  *template.Schema
	family  []*kind    // itself and the kinds that embed it: where a template of this kind finds entries
	lineage []ancestor // itself and the kinds it embeds: whose templates select entries of this kind
	watch   watch      // waiting calls and registrations with a template of this kind

	entries slab[entry]
	used    int  // slots in use
	bytes   int  // of the rows of its entries
	unused  slot // first slot never used - 1
	vacant  []slot
	expiry  expiry
	free    pool
	shared  pool
	locks   map[slot]*lock // of entries that are neither free nor delayed
	locked  []*lock        // the same
	staged  int            // of these, in state written
	later   map[slot]int64 // when entries in state delayed become visible
	deaths  map[slot]*Death

	dropped    bool   // the number has no name any more, and never has entries again
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

// newKind returns a kind without a schema yet.
func newKind(id KindID) *kind {
	k := &kind{id: id, locks: map[slot]*lock{}, later: map[slot]int64{}, deaths: map[slot]*Death{}}
	k.free = pool{kind: k, state: free}
	k.shared = pool{kind: k, state: shared}
	return k
}

// insert stores an entry that everybody sees, at the end of the order.
func (k *kind) insert(e *Engine, id uint64, expires int64, row template.Row) slot {
	s := k.store(e, id, expires, row)
	k.publish(e, s)
	return s
}

// store gives an entry a slot. It is in no pool yet.
func (k *kind) store(e *Engine, id uint64, expires int64, row template.Row) slot {
	s := k.unusedSlot(e)
	k.bytes += len(row)
	*k.entries.at(s) = entry{id: id, expires: expires, row: e.arena.put(row), size: uint32(len(row)), version: 1, imaged: e.images}
	if expires != Forever {
		k.expiry.add(e, k, s)
	}
	e.places.put(id, place{kind: k.id, slot: s})
	return s
}

// publish makes an entry visible to all, at the end of the order.
func (k *kind) publish(e *Engine, s slot) {
	e.lastOrder++
	en := k.entries.at(s)
	en.order, en.lsn = e.lastOrder, e.lsn
	k.free.append(e, s)
	k.changed = e.lsn
}

// delete removes an entry for good, whatever its state. Its row stays readable until the next call of the engine.
func (k *kind) delete(e *Engine, s slot) {
	e.keepImage(k, s)
	en := k.entries.at(s)
	switch en.state {
	case free:
		k.free.remove(s)
	case shared:
		k.shared.remove(s)
	case delayed:
		delete(k.later, s)
	}
	if en.expires != Forever {
		k.expiry.remove(k, s)
	}
	if en.attempts > 0 {
		delete(k.deaths, s)
	}
	e.places.remove(en.id)
	e.garbage = append(e.garbage, en.row)
	k.bytes -= int(en.size)
	en.id = 0
	k.vacant = append(k.vacant, s)
	k.changed, k.removed = e.lsn, e.lsn
	if k.used--; k.used == 0 {
		k.shrink(e)
	}
}

// unusedSlot returns a slot for a new entry.
func (k *kind) unusedSlot(e *Engine) slot {
	k.used++
	if n := len(k.vacant); n > 0 {
		s := k.vacant[n-1]
		k.vacant = k.vacant[:n-1]
		return s
	}
	k.unused++
	have := len(k.entries.chunks)
	k.entries.reach(k.unused)
	e.chunks += len(k.entries.chunks) - have
	return k.unused
}

// shrink gives back what a kind that has become empty kept for many entries.
func (k *kind) shrink(e *Engine) {
	if k.unused < 16*chunkSize {
		return
	}
	e.chunks -= len(k.entries.chunks)
	k.entries, k.vacant, k.unused = slab[entry]{}, nil, 0
	k.expiry.links = slab[link]{}
	k.free.reset()
	k.shared.reset()
}

// tend looks after the indexes.
func (k *kind) tend(e *Engine) {
	k.free.tend(e)
	k.shared.tend(e)
}

// row returns the fields of the entry in slot s.
func (k *kind) row(e *Engine, s slot) template.Row {
	en := k.entries.at(s)
	return e.arena.get(en.row, en.size)
}

// alive reports whether the entry in slot s has not expired.
func (k *kind) alive(e *Engine, s slot) bool { return k.entries.at(s).expires > e.now }

// seen reports whether the entry in slot s was ever visible to others than the transaction that writes it.
func (k *kind) seen(s slot) bool {
	en := k.entries.at(s)
	return en.state != written && (en.state != delayed || en.attempts > 0)
}

// older reports whether the entry in slot a comes before the one in slot b.
func (k *kind) older(a, b slot) bool { return k.entries.at(a).order < k.entries.at(b).order }

// visible returns the number of entries that t, or who is under no transaction if that is nil, sees. Nothing must be late.
func (k *kind) visible(e *Engine, t *transaction) int {
	n := int(k.free.all.n + k.shared.all.n)
	k.expiry.expired(e, k, func(s slot) {
		if k.entries.at(s).state <= shared {
			n--
		}
	})
	if t != nil {
		for _, h := range t.own {
			if h.k == k && h.ownedBy(t) && k.availableTo(t, h.s, false) && k.alive(e, h.s) {
				n++
			}
		}
	}
	return n
}

// relate recomputes families and lineages after a kind was added or extended.
func (e *Engine) relate() {
	for _, x := range e.searches {
		x.stale = true
	}
	for _, k := range e.kinds {
		k.family = k.family[:0]
		k.lineage = append(k.lineage[:0], ancestor{kind: k})
	}
	for _, k := range e.kinds {
		if k.dropped {
			continue
		}
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
