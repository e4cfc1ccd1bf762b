package engine

import (
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/store"
	"github.com/gospaces/gospaces/template"
)

// slot is the place of an entry within its kind; 0 is none.
type slot = store.Slot

// The state of an entry says who may have it.
const (
	free    = store.Free       // any call may have it
	shared  = store.Shared     // any call may read it; its only reader may take it
	taken   = store.Shared + 1 // no call may have it, unless the transaction that took it is aborted
	written = store.Shared + 2 // only the transaction that wrote it may have it
	// only the transaction that changed it may have it; the entry has the new fields, the lock the old ones
	changed = store.Shared + 3
	delayed = store.Shared + 4 // no call may have it yet
)

// kind is the state of one kind of entry: its schema, its place among other kinds, its entries and indexes, and the
// calls that wait for templates of it.
type kind struct {
	id      call.KindID
	schema  *template.Schema
	family  []*kind    // this kind and the kinds that embed it: a template of this kind matches entries of all of them
	lineage []ancestor // this kind and the kinds it embeds: their templates select entries of this kind
	watch   watch      // waiting calls and registrations with a template of this kind

	store.Table
	expiry expiry
	locks  map[slot]*lock // of the entries that are neither free nor delayed
	locked []*lock        // the same locks, as a list
	staged int            // number of these in state written
	later  map[slot]int64 // when entries in state delayed become visible
	deaths map[slot]*call.Death

	dropped    bool   // the number has no name any more, and will never have entries again
	registered uint64 // LSN of the last change to the schema
	changed    uint64 // LSN of the last change to the set of entries
	removed    uint64 // LSN of the last removal
}

// ancestor is a kind seen from one that embeds it.
type ancestor struct {
	*kind
	fields []int // position in this kind of each of the ancestor's fields; nil for the kind itself
}

// newKind returns a kind without a schema yet.
func newKind(st *store.Store, id call.KindID) *kind {
	k := &kind{id: id, locks: map[slot]*lock{}, later: map[slot]int64{}, deaths: map[slot]*call.Death{}}
	k.Table.Init(st, id)
	return k
}

// insert stores an entry that is visible to every call, at the end of the order.
func (k *kind) insert(e *Engine, id uint64, expires int64, row template.Row) slot {
	s := k.add(e, id, expires, row)
	k.publish(e, s)
	return s
}

// add gives an entry a slot. It is in no pool yet.
func (k *kind) add(e *Engine, id uint64, expires int64, row template.Row) slot {
	s := k.Add(store.Entry{ID: id, Expires: expires, Version: 1, Imaged: e.images}, row)
	if expires != call.Forever {
		k.expiry.add(e, k, s)
	}
	return s
}

// publish makes an entry visible to all, at the end of the order.
func (k *kind) publish(e *Engine, s slot) {
	e.lastOrder++
	en := k.At(s)
	en.Order, en.LSN = e.lastOrder, e.lsn
	k.Free.Append(s)
	k.changed = e.lsn
}

// delete removes an entry, whatever its state. The row stays readable until the next call of the engine.
func (k *kind) delete(e *Engine, s slot) {
	e.keepImage(k, s)
	en := k.At(s)
	if en.State == delayed {
		delete(k.later, s)
	}
	if en.Expires != call.Forever {
		k.expiry.remove(k, s)
	}
	if en.Attempts > 0 {
		delete(k.deaths, s)
	}
	if shrunk := k.Delete(s); shrunk {
		k.expiry.links = store.Links{}
	}
	k.changed, k.removed = e.lsn, e.lsn
}

// tend maintains the indexes.
func (k *kind) tend(e *Engine) {
	e.tend(k, &k.Free)
	e.tend(k, &k.Shared)
}

// alive reports whether the entry in slot s has not expired.
func (k *kind) alive(e *Engine, s slot) bool { return k.At(s).Expires > e.now }

// seen reports whether the entry in slot s was ever visible outside the transaction that writes it.
func (k *kind) seen(s slot) bool {
	en := k.At(s)
	return en.State != written && (en.State != delayed || en.Attempts > 0)
}

// visible returns the number of entries visible to t, or to a call without a transaction if t is nil. Nothing may be
// late.
func (k *kind) visible(e *Engine, t *transaction) int {
	n := k.Free.Len() + k.Shared.Len()
	k.expiry.expired(e, k, func(s slot) {
		if k.At(s).State <= shared {
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

// positions returns the position in sub of each field of super.
func positions(super, sub *template.Schema) []int {
	at := make([]int, len(super.Fields))
	for i, f := range super.Fields {
		if at[i] = sub.Index(f.Name); at[i] < 0 {
			at[i] = store.Absent
		}
	}
	return at
}

// condsFor translates conds, which name fields of super, to this kind's rows.
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

// fieldsOf returns the positions in k of super's fields.
func (k *kind) fieldsOf(super *kind) []int {
	for _, a := range k.lineage {
		if a.kind == super {
			return a.fields
		}
	}
	return nil
}
