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
func (k *kind) pay(e *Engine, sh shape, n int) {
	for _, ix := range k.indexes {
		if !ix.live() {
			ix.fill(n)
		}
	}
	if n < vain || sh.eq == 0 && len(sh.keys) == 0 || k.index(sh) != nil {
		return
	}
	d := k.demand(sh)
	d.paid += n
	d.last = e.calls
	if d.paid >= int(k.all.n)+8*vain {
		k.startIndex(e, d)
	}
}

// demand returns the counter of a shape; the one that was not used for longest makes room for a new one.
func (k *kind) demand(sh shape) *demand {
	for _, d := range k.demands {
		if d.equal(sh) {
			return d
		}
	}
	d := &demand{shape: shape{eq: sh.eq, keys: slices.Clone(sh.keys)}}
	if len(k.demands) < maxDemands {
		k.demands = append(k.demands, d)
		return d
	}
	oldest := 0
	for i := range k.demands {
		if k.demands[i].last < k.demands[oldest].last {
			oldest = i
		}
	}
	k.demands[oldest] = d
	return d
}

func (k *kind) startIndex(e *Engine, d *demand) {
	k.demands = slices.DeleteFunc(k.demands, func(o *demand) bool { return o == d })
	if len(k.indexes) == maxIndexes {
		idlest := slices.MaxFunc(k.indexes, func(a, b *index) int { return a.idle - b.idle })
		k.dropIndex(idlest)
	}
	k.indexes = append(k.indexes, e.newIndex(k, d.shape))
}

func (k *kind) dropIndex(ix *index) {
	k.indexes = slices.DeleteFunc(k.indexes, func(o *index) bool { return o == ix })
}

// tend moves indexes that are being filled forward and drops those that nobody asks any more.
func (k *kind) tend() {
	for i := 0; i < len(k.indexes); i++ {
		ix := k.indexes[i]
		if !ix.live() {
			ix.fill(fillSteps)
		} else if ix.idle > idleLimit+4*int(k.all.n) {
			k.dropIndex(ix)
			i--
		}
	}
}

// index returns the index of exactly this shape, or nil.
func (k *kind) index(sh shape) *index {
	for _, ix := range k.indexes {
		if ix.equal(sh) {
			return ix
		}
	}
	return nil
}
