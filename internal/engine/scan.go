package engine

import (
	"cmp"
	"math"
	"slices"

	"github.com/gospaces/gospaces/template"
)

// scan yields the entries of one kind that match some conditions, oldest first, from the cheapest source there is: the
// shortest list of an index, or all entries of the kind.
//
// A template with a range has a second way: to gather what an index holds in the range and sort it by age. Which is
// cheaper cannot be known before, so both go on in turns, each as far as the other has come, until one is done.
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
	last  uint64      // order of the entry yielded last

	ranged *gather // the second way, or nil
	turn   int     // seen at which the second way has its turn
	sorted []slot  // what the second way found, once it is done
	done   bool    // sorted is the source
}

// firstTurn is how many entries are looked at before a second way is tried.
const firstTurn = 64

func (e *Engine) scan(p *pool, conds []template.Cond) scan {
	s := scan{
		e: e, k: p.kind, pool: p, conds: conds, shape: shape{eq: equalities(conds)},
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
	if f := rangedField(conds); f >= 0 {
		s.shape.keys = []template.Order{{Field: f}}
		if ix := p.index(s.shape); ix != nil && ix.live() {
			ix.idle = 0
			s.ranged = newGather(ix.store.(*sorted), e.hashConds(conds, ix.eq), conds, f)
			s.turn = firstTurn
		}
	}
	return s
}

// given returns a scan of matches that are known already, by age.
func (e *Engine) given(k *kind, matches []slot) scan {
	slices.SortFunc(matches, func(a, b slot) int { return cmp.Compare(k.entries.at(a).order, k.entries.at(b).order) })
	return scan{e: e, k: k, sorted: matches, done: true}
}

// next returns the next matching entry, or 0.
func (s *scan) next() slot {
	for !s.done {
		at := s.at
		if at == 0 {
			return 0
		}
		if s.e.left -= s.unit; s.e.left < 0 {
			return 0 // the budget is used up
		}
		s.at = s.links.at(at).next
		s.seen++
		if s.matches(at) {
			return s.yield(at)
		}
		if s.seen >= s.turn {
			s.takeTurn()
		}
	}
	for len(s.sorted) > 0 {
		at := s.sorted[0]
		s.sorted = s.sorted[1:]
		if s.k.entries.at(at).order > s.last {
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

// takeTurn lets the second way look at as many entries as the first has.
func (s *scan) takeTurn() {
	s.e.left -= s.seen * s.unit
	if s.ranged.advance(s.seen, s.matches) {
		s.sorted, s.done = s.ranged.slots, true
		slices.SortFunc(s.sorted, func(a, b slot) int {
			return int(int64(s.k.entries.at(a).order - s.k.entries.at(b).order))
		})
	}
	s.turn = 2 * s.seen
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

// gather collects the matches within a range of a sorted index.
type gather struct {
	t     *sorted
	group uint64
	conds []template.Cond
	field int
	from  bound
	last  slot // looked at last; 0 before the first
	slots []slot
}

func newGather(t *sorted, group uint64, conds []template.Cond, field int) *gather {
	g := &gather{t: t, group: group, conds: conds, field: field, from: bound{after: true}} // after all nulls
	for i := range conds {
		c := &conds[i]
		switch {
		case c.Field != field:
		case c.Op == template.Gt || c.Op == template.Ge || c.Op == template.Prefix:
			g.from = bound{value: c.Value, after: c.Op == template.Gt}
		}
	}
	return g
}

// advance looks at up to n more entries and reports whether the range is exhausted.
func (g *gather) advance(n int, matches func(slot) bool) (done bool) {
	done = true
	step := func(s slot) bool {
		if g.beyond(s) {
			return false
		}
		if n == 0 {
			done = false
			return false
		}
		n--
		g.last = s
		if matches(s) {
			g.slots = append(g.slots, s)
		}
		return true
	}
	if g.last == 0 {
		g.t.walk(g.group, g.from, step)
	} else {
		g.t.resume(g.last, step)
	}
	return done
}

// beyond reports whether the entry in s lies above the range.
func (g *gather) beyond(s slot) bool {
	v := g.t.ix.pool.kind.row(g.t.ix.e, s).Field(g.field)
	for i := range g.conds {
		c := &g.conds[i]
		if c.Field != g.field || c.Match(v) {
			continue
		}
		if c.Op == template.Lt || c.Op == template.Le || c.Op == template.Prefix && string(v) > string(c.Value) {
			return true
		}
	}
	return false
}

// rangedField returns the first field that conds bound to a range, or -1.
func rangedField(conds []template.Cond) int {
	for i := range conds {
		switch conds[i].Op {
		case template.Lt, template.Le, template.Gt, template.Ge, template.Prefix:
			if conds[i].Field < absent {
				return conds[i].Field
			}
		}
	}
	return -1
}
