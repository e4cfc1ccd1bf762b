package store

import (
	"bytes"
	"encoding/binary"

	"github.com/gospaces/gospaces/template"
)

// bounds is the range that conditions set to one field: values after from, and not after to.
type bounds struct{ from, to cut }

// cut is a place between values of a field: right before a value, or right after it. The zero cut is no bound.
type cut struct {
	value template.Value // nil is null, which comes first
	after bool
	set   bool
}

// boundsOf returns the bounds that conds set to a field.
func boundsOf(conds []template.Cond, field int) (b bounds) {
	for i := range conds {
		c := &conds[i]
		if c.Field != field {
			continue
		}
		switch v := c.Value; c.Op {
		case template.Eq:
			b.within(cut{v, false, true}, cut{v, true, true})
		case template.Gt:
			b.within(cut{v, true, true}, cut{})
		case template.Ge:
			b.within(cut{v, false, true}, cut{})
		case template.Lt:
			b.within(afterNull, cut{v, false, true})
		case template.Le:
			b.within(afterNull, cut{v, true, true})
		case template.Prefix:
			b.within(cut{v, false, true}, afterPrefix(v))
		case template.IsNull:
			b.within(cut{}, afterNull)
		case template.NotNull, template.Ne, template.In:
			b.within(afterNull, cut{})
		}
	}
	return b
}

var afterNull = cut{after: true, set: true}

// afterPrefix returns the cut after all values with a prefix.
func afterPrefix(prefix template.Value) cut {
	next := bytes.Clone(prefix)
	for i := len(next) - 1; i >= 0; i-- {
		if next[i]++; next[i] != 0 {
			return cut{value: next[:i+1], set: true}
		}
	}
	return cut{} // no value follows
}

// within narrows the bounds.
func (b *bounds) within(from, to cut) {
	if from.set && (!b.from.set || b.from.compare(from) < 0) {
		b.from = from
	}
	if to.set && (!b.to.set || b.to.compare(to) > 0) {
		b.to = to
	}
}

func (c cut) compare(o cut) int {
	if d := bytes.Compare(c.value, o.value); d != 0 || c.after == o.after {
		return d
	}
	if o.after {
		return -1
	}
	return 1
}

// ranged reports whether an operation bounds a field to a range that an index can serve.
func ranged(op template.Op) bool {
	switch op {
	case template.Lt, template.Le, template.Gt, template.Ge, template.Prefix:
		return true
	}
	return false
}

// long is the size of every value that does not fit into its prefix.
const long = 9

// prefix returns the first bytes of a value as a number, and its size, at most long. Values compare as their prefixes,
// and then as their sizes; two long values with equal prefixes must be compared themselves. desc reverses the order.
func prefix(v template.Value, desc bool) (hint uint64, size uint8) {
	var b [8]byte
	copy(b[:], v)
	hint, size = binary.BigEndian.Uint64(b[:]), uint8(min(len(v), long))
	if desc {
		return ^hint, long - size
	}
	return hint, size
}

// isLong reports whether a size returned by prefix is that of a long value.
func isLong(size uint8, desc bool) bool {
	if desc {
		return size == 0
	}
	return size == long
}
