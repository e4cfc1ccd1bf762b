package engine

import (
	"slices"

	"github.com/gospaces/gospaces/template"
)

// shape says what an index serves: templates that fix the fields in eq and, if keys is not empty, ask for a range of, or an
// ordering by, the first of keys.
type shape struct {
	eq   fieldSet
	keys []template.Order
}

func (sh shape) equal(o shape) bool { return sh.eq == o.eq && slices.Equal(sh.keys, o.keys) }

// demand counts what calls of one shape have paid for not having its index: the entries they looked at in vain.
type demand struct {
	shape
	paid int
	last uint64 // engine call that paid last
}

const (
	maxIndexes = 8
	maxDemands = 32
	vain       = 32 // looking at so many entries in vain is not worth an index
)

// pay notes that a call of the given shape looked at n entries in vain. Once calls have paid for about as many
// entries as an index would have to take in, the index starts: so the cost of having waited for it is at most doubled
// (the ski rental rule), and no index starts that nobody needs.
func (p *pool) pay(e *Engine, sh shape, n int) {
	for _, ix := range p.indexes {
		if !ix.live() {
			ix.fill(n)
		}
	}
	if n < vain || sh.eq == 0 && len(sh.keys) == 0 || p.index(sh) != nil {
		return
	}
	d := p.demand(sh)
	d.paid += n
	d.last = e.calls
	if d.paid >= int(p.all.n)+8*vain {
		p.startIndex(e, d)
	}
}

// demand returns the counter of a shape; the one that was not used for longest makes room for a new one.
func (p *pool) demand(sh shape) *demand {
	for _, d := range p.demands {
		if d.equal(sh) {
			return d
		}
	}
	d := &demand{shape: shape{eq: sh.eq, keys: slices.Clone(sh.keys)}}
	if len(p.demands) < maxDemands {
		p.demands = append(p.demands, d)
		return d
	}
	oldest := 0
	for i := range p.demands {
		if p.demands[i].last < p.demands[oldest].last {
			oldest = i
		}
	}
	p.demands[oldest] = d
	return d
}

func (p *pool) startIndex(e *Engine, d *demand) {
	p.demands = slices.DeleteFunc(p.demands, func(o *demand) bool { return o == d })
	if len(p.indexes) == maxIndexes {
		idlest := slices.MaxFunc(p.indexes, func(a, b *index) int { return a.idle - b.idle })
		p.dropIndex(idlest)
	}
	p.indexes = append(p.indexes, e.newIndex(p, d.shape))
}

func (p *pool) dropIndex(ix *index) {
	p.indexes = slices.DeleteFunc(p.indexes, func(o *index) bool { return o == ix })
}

// tend moves indexes that are being filled forward and drops those that nobody asks any more.
func (p *pool) tend() {
	for i := 0; i < len(p.indexes); i++ {
		ix := p.indexes[i]
		if !ix.live() {
			ix.fill(fillSteps)
		} else if ix.idle > idleLimit+4*int(p.all.n) {
			p.dropIndex(ix)
			i--
		}
	}
}

// index returns the index of exactly this shape, or nil.
func (p *pool) index(sh shape) *index {
	for _, ix := range p.indexes {
		if ix.equal(sh) {
			return ix
		}
	}
	return nil
}
