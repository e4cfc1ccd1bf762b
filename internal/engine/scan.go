package engine

import (
	"cmp"
	"math"
	"slices"

	"github.com/gospaces/gospaces/internal/store"
	"github.com/gospaces/gospaces/template"
)

// scan yields the entries of one kind that match some conditions, oldest first, from the cheapest source: the shortest
// list of an index for equality, or all entries of the kind. If the first few entries of the list do not match, it uses
// an index for the range, if there is one.
type scan struct {
	e     *Engine
	k     *kind
	pool  *store.Pool
	conds []template.Cond
	shape store.Shape

	path  store.Path // being walked
	at    slot       // next entry of the path
	unit  int        // cost of an entry in the budget
	seen  int        // entries examined
	found int        // entries yielded
	last  uint64     // order of the last entry yielded, or examined in the list

	within *store.Ranking // entries in the range, or nil
	turn   int            // after this many entries examined in vain, within becomes the source
	given  []slot         // matches known beforehand
	done   bool           // the list is no longer the source
}

// firstTurn is the number of entries examined in vain before an index for the range is used.
const firstTurn = 4

func (e *Engine) scan(k *kind, p *store.Pool, conds []template.Cond) scan {
	s := scan{
		e: e, k: k, pool: p, conds: conds, shape: store.ShapeOf(conds, nil),
		turn: math.MaxInt, unit: 1 + operands(conds),
	}
	s.path, s.at = p.Shortest(conds, s.shape.Eq)
	if len(conds) == 0 || s.at == 0 {
		return s
	}
	if e.taking && s.path.Indexed() {
		p.Touch(s.at)
	}
	if _, ok := s.shape.Ranged(); ok {
		if ix := p.Index(s.shape); ix != nil && ix.Live() {
			s.within = ix.Ranking(conds)
			s.turn = firstTurn
		}
	}
	return s
}

// given returns a scan of known matches, by age.
func (e *Engine) given(k *kind, matches []slot) scan {
	slices.SortFunc(matches, func(a, b slot) int { return cmp.Compare(k.At(a).Order, k.At(b).Order) })
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
			return 0 // budget used up
		}
		s.at = s.path.Next(at)
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

// nextWithin is next from the index for the range. last is the order of the last entry examined in the list.
func (s *scan) nextWithin() slot {
	for at := s.within.Next(); at != 0; at = s.within.Next() {
		if s.e.left -= s.unit; s.e.left < 0 {
			return 0
		}
		s.seen++
		if s.k.At(at).Order > s.last && s.matches(at) {
			return s.yield(at)
		}
	}
	return 0
}

func (s *scan) yield(at slot) slot {
	s.found++
	s.last = s.k.At(at).Order
	return at
}

func (s *scan) matches(at slot) bool {
	if !s.k.alive(s.e, at) {
		return false
	}
	if len(s.conds) == 0 {
		return true
	}
	return matchAll(s.conds, s.k.Row(at))
}

func matchAll(conds []template.Cond, row template.Row) bool {
	for i := range conds {
		if !conds[i].Match(row.Field(conds[i].Field)) {
			return false
		}
	}
	return true
}

// close charges the kind for entries examined in vain.
func (s *scan) close() {
	if s.pool == nil {
		return
	}
	if v := s.seen - s.found; v > 0 {
		s.e.pay(s.k, s.pool, s.shape, v)
	}
}
