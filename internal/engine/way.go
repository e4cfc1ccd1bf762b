package engine

import (
	"slices"

	"github.com/gospaces/gospaces/template"
)

// way is a list of entries that a search walks, oldest first: the entries of a pool, or those that an index for equality has for some values.
type way struct {
	pool  *pool
	any   [][]template.Cond // an entry matches if it fulfils one of these; none: all match
	ix    *index            // nil: the list is the pool's
	hash  uint64            // of the values, for ix
	last  slot              // that was looked at last; 0: none that is still there
	unit  int               // of the budget, for looking at an entry
	shape shape             // whose lack makes the search look in vain, with one template
	vain  int               // entries that were looked at in vain and not paid for
}

// open finds the ways of a search, which is at its beginning.
func (x *Search) open() {
	e := x.e
	x.frontier, x.ended, x.hits, x.count, x.awaits, x.seen, x.stale = 0, false, nil, 0, nil, 0, false
	if len(x.q.Order) > 0 {
		x.best = best{e: e, super: e.selected(x.q.Templates[0].Kind), keys: x.q.Order, max: x.q.Max}
	}
	if e.width(x.q) > maxWays {
		for _, k := range e.kinds {
			if any, wanted := e.condsOf(x.q, k); wanted {
				x.openWays(k, any)
			}
		}
		return
	}
	for i := range x.q.Templates {
		t := &x.q.Templates[i]
		if t.Kind == 0 {
			for _, k := range e.kinds {
				x.openWays(k, nil)
			}
			continue
		}
		super := e.selected(t.Kind)
		for _, k := range super.family {
			expand(k.condsFor(super, t.Conds), func(conds []template.Cond) { x.openWays(k, [][]template.Cond{conds}) })
		}
	}
}

// openWays opens the ways through one kind.
func (x *Search) openWays(k *kind, any [][]template.Cond) {
	x.openWay(&k.free, any)
	if x.counting || !x.q.exclusive() {
		x.openWay(&k.shared, any)
	}
}

func (x *Search) openWay(p *pool, any [][]template.Cond) {
	w := way{pool: p, any: any, unit: 1}
	for _, conds := range any {
		w.unit += operands(conds)
	}
	if len(any) == 1 {
		var keys []template.Order
		if len(x.q.Order) > 0 {
			keys = p.kind.keysFor(x.best.super, x.q.Order)
		}
		w.shape = shapeOf(any[0], keys)
		w.shorten(x.e)
	}
	if !slices.Contains(p.searches, x) {
		p.searches = append(p.searches, x)
	}
	x.ways = append(x.ways, w)
	if len(any) == 1 {
		x.await(&w)
	}
}

// shorten makes the way the shortest that an index offers.
func (w *way) shorten(e *Engine) {
	shortest := w.pool.all.n
	for _, ix := range w.pool.indexes {
		h, ok := ix.store.(*hashed)
		if !ok || !ix.live() || !ix.eq.within(w.shape.eq) {
			continue
		}
		hash := e.hashConds(w.any[0], ix.eq)
		n := uint32(0)
		if l := h.list(hash); l != nil {
			n = l.n
		}
		if n <= shortest {
			ix.idle = 0
			shortest, w.ix, w.hash = n, ix, hash
		}
	}
}

// closeWays makes the pools forget the search.
func (x *Search) closeWays() {
	for i := range x.ways {
		p := x.ways[i].pool
		p.searches = slices.DeleteFunc(p.searches, func(o *Search) bool { return o == x })
	}
	x.ways = nil
}

func (w *way) links() *slab[link] {
	if w.ix != nil {
		return &w.ix.store.(*hashed).links
	}
	return &w.pool.order
}

// next returns the entry after the one that was looked at last; 0 at the end.
func (w *way) next() slot {
	switch {
	case w.last != 0:
		return w.links().at(w.last).next
	case w.ix == nil:
		return w.pool.all.head
	}
	if l := w.ix.store.(*hashed).list(w.hash); l != nil {
		return l.head
	}
	return 0
}

// ahead returns the next entry before the frontier, and passes over those that have entered behind it.
func (w *way) ahead(frontier uint64) slot {
	at := w.next()
	for at != 0 && w.pool.kind.entries.at(at).order <= frontier {
		w.last = at
		at = w.next()
	}
	return at
}

// retreat goes back by an entry, since the last one is about to leave.
func (w *way) retreat() { w.last = w.links().at(w.last).prev }

// matches reports whether the entry in slot s, which need not be alive, is one that the way leads to.
func (w *way) matches(e *Engine, s slot) bool { return matchAny(w.any, w.pool.kind.row(e, s)) }

// operands returns what it costs to match an entry.
func operands(conds []template.Cond) (n int) {
	for i := range conds {
		n += 1 + len(conds[i].Values)/4
	}
	return n
}

// width returns how many lists serve q at least.
func (e *Engine) width(q *Query) (n int) {
	for i := range q.Templates {
		t := &q.Templates[i]
		if t.Kind == 0 {
			n += len(e.kinds)
			continue
		}
		each := 1
		if in := expandable(t.Conds); in >= 0 {
			each = len(t.Conds[in].Values)
		}
		n += each * len(e.selected(t.Kind).family)
	}
	return n
}

// maxExpanded is how many values of an In condition are looked up one by one.
const maxExpanded = 64

// expandable returns the condition that can be split into one for each of its values, or -1.
func expandable(conds []template.Cond) int {
	return slices.IndexFunc(conds, func(c template.Cond) bool { return c.Op == template.In && len(c.Values) <= maxExpanded })
}

// expand calls f with conds or, so that an index for equality can serve it, with one for each value of an In condition.
func expand(conds []template.Cond, f func(conds []template.Cond)) {
	in := expandable(conds)
	if in < 0 {
		f(conds)
		return
	}
	for i, v := range conds[in].Values {
		if slices.ContainsFunc(conds[in].Values[:i], func(o template.Value) bool { return string(o) == string(v) }) {
			continue
		}
		one := slices.Clone(conds)
		one[in] = template.Cond{Field: one[in].Field, Op: template.Eq, Value: v}
		f(one)
	}
}
