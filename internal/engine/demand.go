package engine

import "slices"

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
	if n < vain || !sh.indexable() || p.index(sh) != nil {
		return
	}
	d := p.demand(sh)
	d.paid += n
	d.last = e.calls
	if d.paid >= int(p.all.n)+8*vain {
		p.demands = slices.DeleteFunc(p.demands, func(o *demand) bool { return o == d })
		p.startIndex(e, d.shape)
	}
}

// demand returns the counter of a shape; the one that was not used for longest makes room for a new one.
func (p *pool) demand(sh shape) *demand {
	for _, d := range p.demands {
		if d.equal(sh) {
			return d
		}
	}
	d := &demand{shape: sh}
	d.keys = slices.Clone(sh.keys)
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

// index returns the index of exactly this shape, or nil.
func (p *pool) index(sh shape) *index {
	for _, ix := range p.indexes {
		if ix.equal(sh) {
			return ix
		}
	}
	return nil
}
