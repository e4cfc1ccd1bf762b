package engine

import (
	"slices"

	"github.com/gospaces/gospaces/template"
)

// findOrdered serves a query with an explicit ordering: from the index of its shape where there is one, else by looking
// at every match.
func (e *Engine) findOrdered(q *Query) []hit {
	t := &q.Templates[0]
	super := e.selected(t.Kind)
	sources := 0
	for _, k := range super.family {
		conds, keys := k.condsFor(super, t.Conds), k.keysFor(super, q.Order)
		sources += e.orderedFrom(&k.free, conds, keys, q.Max)
		if len(k.locks) == 0 {
			continue
		}
		if !e.taking && k.shared.all.n > 0 {
			sources += e.orderedFrom(&k.shared, conds, keys, q.Max)
		}
		for _, s := range e.ownMatches(k, conds) {
			e.hits = append(e.hits, hit{k, s})
			sources++
		}
	}
	if sources > 1 {
		e.cut(super, q)
	}
	return e.hits
}

// orderedFrom adds the first max matches of one pool: of each source, if there are several, whose number it returns.
func (e *Engine) orderedFrom(p *pool, conds []template.Cond, keys []template.Order, max int) (sources int) {
	var sh shape // of the index that would serve each of what conds are expanded to
	served := false
	expand(conds, func(one []template.Cond) {
		if sources == 0 {
			sh = shapeOf(one, keys)
			ix := p.index(sh)
			served = ix != nil && ix.live() || sh.hashed() && expandable(conds) < 0
		}
		if served {
			e.firstOf(p, one, sh, max)
		}
		sources++
	})
	if served {
		return sources
	}
	if ix := p.index(shape{eq: equalities(conds), keys: sh.keys}); sh.bound > 0 && ix != nil && ix.live() {
		e.walkOrdered(ix, conds, sh, max)
	} else {
		e.sortMatches(p, conds, sh, keys, max)
	}
	return 1
}

// firstOf adds the first max matches of one pool from the index that serves them, which is live. For equals by age,
// which a list holds, there need not be one.
func (e *Engine) firstOf(p *pool, conds []template.Cond, sh shape, max int) {
	switch {
	case sh.hashed():
		s := e.scan(p, conds)
		for at := slot(0); max > 0; max-- {
			if at = s.next(); at == 0 {
				break
			}
			e.hits = append(e.hits, hit{p.kind, at})
		}
		s.close()
	case sh.bound > 0:
		e.rankedFrom(p.index(sh), conds, max)
	default:
		e.walkOrdered(p.index(sh), conds, sh, max)
	}
}

// rankedFrom adds the first max matches, by the rank that an index gives them within a range.
func (e *Engine) rankedFrom(ix *index, conds []template.Cond, max int) {
	ix.idle = 0
	k, unit := ix.pool.kind, 1+operands(conds)
	r := ranking{section: ix.store.(*ordered).section(conds)}
	for max > 0 && e.left >= 0 {
		s := r.next()
		if s == 0 {
			return
		}
		e.left -= unit
		if k.alive(e, s) && matchAll(conds, k.row(e, s)) {
			e.hits = append(e.hits, hit{k, s})
			max--
		}
	}
}

// walkOrdered adds the first max matches, in the order of an index. What it looks at in vain is charged to the shape of
// the index that would do better.
func (e *Engine) walkOrdered(ix *index, conds []template.Cond, sh shape, max int) {
	ix.idle = 0
	k, unit, vain := ix.pool.kind, 1+operands(conds), 0
	sec := ix.store.(*ordered).section(conds)
	sec.walk(func(s slot) bool {
		if e.left -= unit; k.alive(e, s) && matchAll(conds, k.row(e, s)) {
			e.hits = append(e.hits, hit{k, s})
			max--
		} else {
			vain++
		}
		return max > 0 && e.left >= 0
	})
	ix.pool.pay(e, sh, vain)
}

// sortMatches keeps the first max of all matches of one pool.
func (e *Engine) sortMatches(p *pool, conds []template.Cond, sh shape, keys []template.Order, max int) {
	k, s := p.kind, e.scan(p, conds)
	from := len(e.hits)
	keep := func() {
		best := e.hits[from:]
		slices.SortStableFunc(best, func(a, b hit) int { return compareKeys(keys, k.row(e, a.s), k.row(e, b.s)) })
		e.hits = e.hits[:from+min(len(best), max)]
	}
	for at := s.next(); at != 0; at = s.next() {
		if e.hits = append(e.hits, hit{k, at}); len(e.hits)-from >= 2*max+64 {
			keep()
		}
	}
	keep()
	p.pay(e, sh, s.seen)
}
