package engine

import (
	"iter"
	"math"
	"math/bits"

	"github.com/gospaces/gospaces/template"
)

// fieldSet is a set of field positions. Fields beyond the 64th are never in one: they are matched, but not indexed.
type fieldSet uint64

func (fs fieldSet) with(f int) fieldSet {
	if f < 64 {
		fs |= 1 << f
	}
	return fs
}

// fieldsBelow returns the set of the first n fields.
func fieldsBelow(n int) fieldSet {
	if n >= 64 {
		return math.MaxUint64
	}
	return 1<<n - 1
}

func (fs fieldSet) within(o fieldSet) bool { return fs&^o == 0 }

// several reports whether there is more than one field in fs.
func (fs fieldSet) several() bool { return fs&(fs-1) != 0 }

// all yields the positions in rising order.
func (fs fieldSet) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for ; fs != 0; fs &= fs - 1 {
			if !yield(bits.TrailingZeros64(uint64(fs))) {
				return
			}
		}
	}
}

// equalities returns the fields that conds fix to one value.
func equalities(conds []template.Cond) fieldSet {
	var fs fieldSet
	for i := range conds {
		if conds[i].Op == template.Eq {
			fs = fs.with(conds[i].Field)
		}
	}
	return fs
}
