package store

import "slices"

// demand counts what calls of one shape have paid for not having its index: the entries they looked at in vain.
type demand struct {
	Shape
	paid int
	last uint64 // the call that paid last
}

const (
	maxDemands = 32
	vain       = 32 // looking at so many entries in vain is not worth an index
)

// Pay notes that a call, the number of which is call, has looked at n entries in vain for want of an index of the given
// shape. It reports whether calls have paid for about as many entries as that would have to take in, so that it is to
// be started: then the cost of having waited for it is at most doubled (the ski rental rule), and no index starts that
// no query needs.
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

// demand returns the counter of a shape; the one that was not used for longest makes room for a new one.
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
