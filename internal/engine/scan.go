package engine

import (
	"cmp"
	"math"
	"slices"

	"github.com/gospaces/gospaces/template"
)

// scan yields the entries of one kind that match some conditions, oldest first, from the cheapest source there is: the
// shortest list of an index for equality, or all entries of the kind; and an index for the range, if there is one and
// the first few entries of the list do not match.
type scan struct {
	e     *Engine
	k     *kind
	pool  *pool
	conds []template.Cond
	shape shape

	links *slab[link] // of the list that is being walked
	at    slot        // next entry of the list to look at
	unit  int         // of the budget, for looking at one
	seen  int         // entries looked at
	found int         // entries yielded
	last  uint64      // order of the entry yielded, or looked at in the list, last

	within *ranking // the entries in the range, or nil
	turn   int      // entries looked at in vain after which within is the source
	given  []slot   // matches that are known already
	done   bool     // the list is not the source any more
}

// firstTurn is how many entries are looked at in vain before an index for the range is asked.
const firstTurn = 4

func (e *Engine) scan(p *pool, conds []template.Cond) scan {
	s := scan{
		e: e, k: p.kind, pool: p, conds: conds, shape: shapeOf(conds, nil),
		links: &p.order, at: p.all.head, turn: math.MaxInt, unit: 1 + operands(conds),
	}
	if len(conds) == 0 {
		return s
	}
	shortest := p.all.n
	for _, ix := range p.indexes {
		h, ok := ix.store.(*hashed)
		if !ok || !ix.live() || !ix.eq.within(s.shape.eq) {
			continue
		}
		l := h.list(e.hashConds(conds, ix.eq))
		if l == nil {
			ix.idle = 0
			s.at = 0
			return s
		}
		if l.n <= shortest {
			ix.idle = 0
			shortest, s.links, s.at = l.n, &h.links, l.head
		}
	}
	if e.taking && s.links != &p.order {
		p.touch(e, s.at)
	}
	if _, ok := s.shape.ranged(); ok {
		if ix := p.index(s.shape); ix != nil && ix.live() {
			ix.idle = 0
			s.within = &ranking{section: ix.store.(*ordered).section(conds)}
			s.turn = firstTurn
		}
	}
	return s
}

// given returns a scan of matches that are known already, by age.
func (e *Engine) given(k *kind, matches []slot) scan {
	slices.SortFunc(matches, func(a, b slot) int { return cmp.Compare(k.entries.at(a).order, k.entries.at(b).order) })
	return scan{e: e, k: k, given: matches, done: true}
}

// next returns the next matching entry, or 0.
func (s *scan) next() slot {
	for !s.done {
		at := s.at
		if at == 0 {
			return 0
		}
		if s.seen-s.found >= s.turn {
			s.done = true
			break
		}
		if s.e.left -= s.unit; s.e.left < 0 {
			return 0 // the budget is used up
		}
		s.at = s.links.at(at).next
		s.seen++
		if s.matches(at) {
			return s.yield(at)
		}
	}
	if s.within != nil {
		return s.nextWithin()
	}
	if len(s.given) == 0 {
		return 0
	}
	at := s.given[0]
	s.given = s.given[1:]
	return s.yield(at)
}

// nextWithin is next from the index for the range. The list was looked at to an entry whose order is last.
func (s *scan) nextWithin() slot {
	for at := s.within.next(); at != 0; at = s.within.next() {
		if s.e.left -= s.unit; s.e.left < 0 {
			return 0
		}
		s.seen++
		if s.k.entries.at(at).order > s.last && s.matches(at) {
			return s.yield(at)
		}
	}
	return 0
}

func (s *scan) yield(at slot) slot {
	s.found++
	s.last = s.k.entries.at(at).order
	return at
}

func (s *scan) matches(at slot) bool {
	if !s.k.alive(s.e, at) {
		return false
	}
	if len(s.conds) == 0 {
		return true
	}
	return matchAll(s.conds, s.k.row(s.e, at))
}

func matchAll(conds []template.Cond, row template.Row) bool {
	for i := range conds {
		if !conds[i].Match(row.Field(conds[i].Field)) {
			return false
		}
	}
	return true
}

// close charges the kind for what was looked at in vain.
func (s *scan) close() {
	if s.pool == nil {
		return
	}
	if v := s.seen - s.found; v > 0 {
		s.pool.pay(s.e, s.shape, v)
	}
}
