package engine

import (
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/store"
	"github.com/gospaces/gospaces/template"
)

// way is a list of entries that a search walks, oldest first: the entries of a pool, or a list of an index for
// equality.
type way struct {
	kind  *kind
	pool  *store.Pool
	any   [][]template.Cond // an entry matches if it satisfies one of these; none: all match
	path  store.Path        // being walked
	last  slot              // the last entry examined; 0: none that is still there
	unit  int               // cost of an entry in the budget
	shape store.Shape       // whose absence makes the search examine entries in vain, with one template
	vain  int               // entries examined in vain and not yet charged
}

// open finds the ways of a new search.
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
	x.openWay(k, &k.Free, any)
	if x.counting || !x.q.Exclusive() {
		x.openWay(k, &k.Shared, any)
	}
}

func (x *Search) openWay(k *kind, p *store.Pool, any [][]template.Cond) {
	w := way{kind: k, pool: p, any: any, unit: 1}
	for _, conds := range any {
		w.unit += operands(conds)
	}
	if len(any) == 1 {
		var keys []template.Order
		if len(x.q.Order) > 0 {
			keys = k.keysFor(x.best.super, x.q.Order)
		}
		w.shape = store.ShapeOf(any[0], keys)
	}
	w.path, _ = p.Shortest(w.conds(), w.shape.Eq)
	p.Attach(x)
	x.ways = append(x.ways, w)
	if len(any) == 1 {
		x.await(&w)
	}
}

// conds returns the conditions that all entries of the way satisfy, nil if there are several alternatives.
func (w *way) conds() []template.Cond {
	if len(w.any) == 1 {
		return w.any[0]
	}
	return nil
}

// closeWays detaches the search from the pools.
func (x *Search) closeWays() {
	for i := range x.ways {
		x.ways[i].pool.Detach(x)
	}
	x.ways = nil
}

// next returns the entry after the last examined one; 0 at the end.
func (w *way) next() slot {
	if w.last != 0 {
		return w.path.Next(w.last)
	}
	return w.path.First()
}

// ahead returns the next entry ahead of the frontier, and skips those that have entered behind it.
func (w *way) ahead(frontier uint64) slot {
	at := w.next()
	for at != 0 && w.kind.At(at).Order <= frontier {
		w.last = at
		at = w.next()
	}
	return at
}

// retreat steps back by one entry, because the last one is about to leave.
func (w *way) retreat() { w.last = w.path.Previous(w.last) }

// matches reports whether the entry in slot s, which need not be alive, matches on this way.
func (w *way) matches(e *Engine, s slot) bool { return matchAny(w.any, w.kind.Row(s)) }

// operands returns the cost of matching an entry.
func operands(conds []template.Cond) (n int) {
	for i := range conds {
		n += 1 + len(conds[i].Values)/4
	}
	return n
}

// width returns the minimum number of lists that serve q.
func (e *Engine) width(q *call.Query) (n int) {
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

// maxExpanded is the maximum number of values of an In condition that are looked up one by one.
const maxExpanded = 64

// expandable returns the condition that can be split by its values, or -1.
func expandable(conds []template.Cond) int {
	return slices.IndexFunc(conds,
		func(c template.Cond) bool { return c.Op == template.In && len(c.Values) <= maxExpanded })
}

// expand calls f with conds or, to use an index for equality, once for each value of an In condition.
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
