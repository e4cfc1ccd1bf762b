package engine

import (
	"bytes"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
)

// hit is an entry that a query found.
type hit struct {
	k *kind
	s slot
}

func (h hit) order() uint64 { return h.k.At(h.s).Order }

// find returns up to q.Max entries that match q and are available to t, or to a call without a transaction if t is nil:
// oldest first or in the order of q. The result is valid until the next find. It returns false, and the hits so far, if
// the budget does not suffice.
func (e *Engine) find(q *call.Query, t *transaction) (hits []hit, ok bool) {
	e.hits = e.hits[:0]
	e.finding, e.taking = t, q.Exclusive()
	switch {
	case q.ID != 0:
		return e.findOne(q), true
	case e.width(q) > maxWays:
		return nil, false
	case len(q.Order) > 0:
		hits = e.findOrdered(q)
		return hits, e.left >= 0
	}
	scans := e.scans(q)
	if len(scans) == 1 {
		s := &scans[0]
		for len(e.hits) < q.Max {
			at := s.next()
			if at == 0 {
				break
			}
			e.hits = append(e.hits, hit{s.k, at})
		}
	} else {
		e.merge(scans, q.Max)
	}
	for i := range scans {
		scans[i].close()
	}
	return e.hits, e.left >= 0
}

// scans opens a scan for every kind that a template of q selects.
func (e *Engine) scans(q *call.Query) []scan {
	e.scanning = e.scanning[:0]
	for i := range q.Templates {
		t := &q.Templates[i]
		if t.Kind == 0 {
			for _, k := range e.kinds {
				e.openScan(k, nil)
			}
			continue
		}
		super := e.selected(t.Kind)
		for _, k := range super.family {
			expand(k.condsFor(super, t.Conds), func(conds []template.Cond) { e.openScan(k, conds) })
		}
	}
	return e.scanning
}

// openScan opens the scans of one kind: of the free entries, of the read-locked entries if this is a read, and of the
// entries that only the transaction may have.
func (e *Engine) openScan(k *kind, conds []template.Cond) {
	e.scanning = append(e.scanning, e.scan(k, &k.Free, conds))
	if len(k.locks) == 0 {
		return
	}
	if !e.taking && k.Shared.Len() > 0 {
		e.scanning = append(e.scanning, e.scan(k, &k.Shared, conds))
	}
	if own := e.ownMatches(k, conds); len(own) > 0 {
		e.scanning = append(e.scanning, e.given(k, own))
	}
}

// ownMatches returns the matches of one kind that only the transaction of the current find may have.
func (e *Engine) ownMatches(k *kind, conds []template.Cond) []slot {
	t := e.finding
	if t == nil {
		return nil
	}
	var found []slot
	look := func(h held) {
		if h.k == k && k.alive(e, h.s) && matchAll(conds, k.Row(h.s)) {
			found = append(found, h.s)
		}
	}
	for _, h := range t.own {
		if h.ownedBy(t) && h.k.availableTo(t, h.s, e.taking) {
			look(h)
		}
	}
	if e.taking {
		for _, h := range t.read {
			if h.readBy(t) && len(h.k.locks[h.s].readers) == 1 {
				look(h)
			}
		}
	}
	return found
}

// findOne is find for a query that names the entry.
func (e *Engine) findOne(q *call.Query) []hit {
	p, ok := e.store.Find(q.ID)
	if !ok {
		return nil
	}
	k := e.kinds[p.Kind-1]
	if !k.alive(e, p.Slot) || !k.availableTo(e.finding, p.Slot, q.Exclusive()) {
		return nil
	}
	if conds, wanted := e.condsOf(q, k); wanted && matchAny(conds, k.Row(p.Slot)) {
		e.hits = append(e.hits, hit{k, p.Slot})
	}
	return e.hits
}

// merge adds the oldest hits of all scans, without duplicates.
func (e *Engine) merge(scans []scan, max int) {
	heads := make([]slot, len(scans))
	for i := range scans {
		heads[i] = scans[i].next()
	}
	for len(e.hits) < max && e.left >= 0 {
		oldest := -1
		for i, s := range heads {
			if s != 0 && (oldest < 0 || scans[i].k.At(s).Order < scans[oldest].k.At(heads[oldest]).Order) {
				oldest = i
			}
		}
		if oldest < 0 {
			return
		}
		h := hit{scans[oldest].k, heads[oldest]}
		e.hits = append(e.hits, h)
		for i := range scans {
			if scans[i].k == h.k && heads[i] == h.s {
				heads[i] = scans[i].next()
			}
		}
	}
}

// cut merges the hits of several sources: it keeps the first q.Max in the order of q, older entries first among equals.
func (e *Engine) cut(super *kind, q *call.Query) {
	slices.SortStableFunc(e.hits, func(a, b hit) int {
		if c := compareAcross(q.Order, super, a.k, b.k, a.k.Row(a.s), b.k.Row(b.s)); c != 0 {
			return c
		}
		return int(int64(a.order() - b.order()))
	})
	e.hits = e.hits[:min(len(e.hits), q.Max)]
}

// compareAcross orders rows of kinds a and b by keys that name fields of super, which both embed.
func compareAcross(keys []template.Order, super, a, b *kind, ra, rb template.Row) int {
	for i := range keys {
		if c := bytes.Compare(ra.Field(a.fieldFor(super, keys[i].Field)),
			rb.Field(b.fieldFor(super, keys[i].Field))); c != 0 {
			if keys[i].Desc {
				return -c
			}
			return c
		}
	}
	return 0
}

// fieldFor returns the position in k of a field of super.
func (k *kind) fieldFor(super *kind, f int) int {
	if super == k {
		return f
	}
	return k.fieldsOf(super)[f]
}

// keysFor translates keys, which name fields of super, to the positions of k's fields.
func (k *kind) keysFor(super *kind, keys []template.Order) []template.Order {
	if super == k {
		return keys
	}
	at := k.fieldsOf(super)
	own := slices.Clone(keys)
	for i := range own {
		own[i].Field = at[own[i].Field]
	}
	return own
}
