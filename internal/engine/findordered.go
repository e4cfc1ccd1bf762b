package engine

import (
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/store"
	"github.com/gospaces/gospaces/template"
)

// findOrdered finds the hits of a query with an explicit ordering: from the index of its shape if there is one,
// otherwise by examining every match.
func (e *Engine) findOrdered(q *call.Query) []hit {
	t := &q.Templates[0]
	super := e.selected(t.Kind)
	sources := 0
	for _, k := range super.family {
		conds, keys := k.condsFor(super, t.Conds), k.keysFor(super, q.Order)
		sources += e.orderedFrom(k, &k.Free, conds, keys, q.Max)
		if len(k.locks) == 0 {
			continue
		}
		if !e.taking && k.Shared.Len() > 0 {
			sources += e.orderedFrom(k, &k.Shared, conds, keys, q.Max)
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

// orderedFrom adds the first max matches of one pool, or of each source if there are several; it returns the number of
// sources.
func (e *Engine) orderedFrom(k *kind, p *store.Pool, conds []template.Cond, keys []template.Order,
	max int,
) (sources int) {
	var sh store.Shape // of the index that would serve each alternative of conds
	served := false
	expand(conds, func(one []template.Cond) {
		if sources == 0 {
			sh = store.ShapeOf(one, keys)
			ix := p.Index(sh)
			served = ix != nil && ix.Live() || sh.Hashed() && expandable(conds) < 0
		}
		if served {
			e.firstOf(k, p, one, sh, max)
		}
		sources++
	})
	if served {
		return sources
	}
	if ix := p.Index(store.Shape{Eq: store.Equalities(conds), Keys: sh.Keys}); sh.Bound > 0 && ix != nil && ix.Live() {
		e.walkOrdered(k, p, ix, conds, sh, max)
	} else {
		e.sortMatches(k, p, conds, sh, keys, max)
	}
	return 1
}

// firstOf adds the first max matches of one pool from the live index that serves them. For equality by age it may
// instead use a list.
func (e *Engine) firstOf(k *kind, p *store.Pool, conds []template.Cond, sh store.Shape, max int) {
	switch {
	case sh.Hashed():
		s := e.scan(k, p, conds)
		for at := slot(0); max > 0; max-- {
			if at = s.next(); at == 0 {
				break
			}
			e.hits = append(e.hits, hit{k, at})
		}
		s.close()
	case sh.Bound > 0:
		e.rankedFrom(k, p.Index(sh), conds, max)
	default:
		e.walkOrdered(k, p, p.Index(sh), conds, sh, max)
	}
}

// rankedFrom adds the first max matches by the rank that an index gives them within a range.
func (e *Engine) rankedFrom(k *kind, ix *store.Index, conds []template.Cond, max int) {
	unit, r := 1+operands(conds), ix.Ranking(conds)
	for max > 0 && e.left >= 0 {
		s := r.Next()
		if s == 0 {
			return
		}
		e.left -= unit
		if k.alive(e, s) && matchAll(conds, k.Row(s)) {
			e.hits = append(e.hits, hit{k, s})
			max--
		}
	}
}

// walkOrdered adds the first max matches in the order of an index. Entries examined in vain are charged to the shape of
// a better index.
func (e *Engine) walkOrdered(k *kind, p *store.Pool, ix *store.Index, conds []template.Cond, sh store.Shape, max int) {
	unit, vain := 1+operands(conds), 0
	ix.Walk(conds, func(s slot) bool {
		if e.left -= unit; k.alive(e, s) && matchAll(conds, k.Row(s)) {
			e.hits = append(e.hits, hit{k, s})
			max--
		} else {
			vain++
		}
		return max > 0 && e.left >= 0
	})
	e.pay(k, p, sh, vain)
}

// sortMatches keeps the first max of all matches of one pool.
func (e *Engine) sortMatches(k *kind, p *store.Pool, conds []template.Cond, sh store.Shape, keys []template.Order,
	max int,
) {
	s := e.scan(k, p, conds)
	from := len(e.hits)
	keep := func() {
		best := e.hits[from:]
		slices.SortStableFunc(best, func(a, b hit) int { return store.CompareKeys(keys, k.Row(a.s), k.Row(b.s)) })
		e.hits = e.hits[:from+min(len(best), max)]
	}
	for at := s.next(); at != 0; at = s.next() {
		if e.hits = append(e.hits, hit{k, at}); len(e.hits)-from >= 2*max+64 {
			keep()
		}
	}
	keep()
	e.pay(k, p, sh, s.seen)
}
