package store

import "slices"

// demand counts the entries that calls of one shape have examined in vain because its index is missing.
type demand struct {
	Shape
	paid int
	last uint64 // the last call that paid
}

const (
	maxDemands = 32
	vain       = 32 // fewer entries examined in vain are not worth an index
)

// Pay records that call number call examined n entries in vain because there is no index of the given shape. It reports
// whether the index should be started: when calls have paid for about as many entries as the index would have to take
// in. By this ski-rental rule, waiting at most doubles the cost, and no index is built that no query needs.
func (p *Pool) Pay(call uint64, sh Shape, n int) (start bool) {
	if n < vain || !sh.Indexable() || p.Index(sh) != nil {
		return false
	}
	d := p.demand(sh)
	d.paid += n
	d.last = call
	if d.paid < int(p.all.n)+8*vain {
		return false
	}
	p.demands = slices.DeleteFunc(p.demands, func(o *demand) bool { return o == d })
	return true
}

// demand returns the counter of a shape. A new counter replaces the least recently used one.
func (p *Pool) demand(sh Shape) *demand {
	for _, d := range p.demands {
		if d.Equal(sh) {
			return d
		}
	}
	d := &demand{Shape: sh}
	d.Keys = slices.Clone(sh.Keys)
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
