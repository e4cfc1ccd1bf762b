package store

import (
	"iter"
	"math"
	"math/bits"

	"github.com/gospaces/gospaces/template"
)

// FieldSet is a set of field positions, from 0 to 63. Later fields are never in a set: they are matched, but not
// indexed.
type FieldSet uint64

// With returns fs with field f added, if f is below 64.
func (fs FieldSet) With(f int) FieldSet {
	if f < 64 {
		fs |= 1 << f
	}
	return fs
}

// FieldsBelow returns the set of the first n fields.
func FieldsBelow(n int) FieldSet {
	if n >= 64 {
		return math.MaxUint64
	}
	return 1<<n - 1
}

// Within reports whether every field of fs is in o.
func (fs FieldSet) Within(o FieldSet) bool { return fs&^o == 0 }

// Several reports whether there is more than one field in fs.
func (fs FieldSet) Several() bool { return fs&(fs-1) != 0 }

// All yields the positions in rising order.
func (fs FieldSet) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for ; fs != 0; fs &= fs - 1 {
			if !yield(bits.TrailingZeros64(uint64(fs))) {
				return
			}
		}
	}
}

// Equalities returns the fields for which conds require one value.
func Equalities(conds []template.Cond) FieldSet {
	var fs FieldSet
	for i := range conds {
		if conds[i].Op == template.Eq {
			fs = fs.With(conds[i].Field)
		}
	}
	return fs
}
