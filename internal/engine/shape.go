package engine

import (
	"encoding/binary"
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

// shapeOf returns the shape of an index that would serve conds, by age.
func shapeOf(conds []template.Cond) shape {
	sh := shape{eq: equalities(conds)}
	if f := rangedField(conds); f >= 0 {
		sh.keys = []template.Order{{Field: f}}
	}
	return sh
}

// indexable reports whether an index can have the shape: every row has the fields that it names.
func (sh shape) indexable() bool {
	absents := func(key template.Order) bool { return key.Field >= absent }
	return (sh.eq != 0 || len(sh.keys) > 0) && !slices.ContainsFunc(sh.keys, absents)
}

// appendShape appends the encoding of sh, which is in logs on disk.
func appendShape(dst []byte, sh shape) []byte {
	dst = binary.AppendUvarint(dst, uint64(sh.eq))
	dst = binary.AppendUvarint(dst, uint64(len(sh.keys)))
	for _, key := range sh.keys {
		n := uint64(key.Field) << 1
		if key.Desc {
			n |= 1
		}
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

// decodeShape is the inverse of appendShape; false if b is not what that appends, for a kind with n fields.
func decodeShape(b []byte, n int) (sh shape, ok bool) {
	d := bodyDecoder{b}
	sh.eq = fieldSet(d.uvarint())
	for range d.count() {
		v := d.uvarint()
		key := template.Order{Field: int(v >> 1), Desc: v&1 != 0}
		if v>>1 >= uint64(n) {
			return shape{}, false
		}
		sh.keys = append(sh.keys, key)
	}
	ok = sh.eq.within(fieldsBelow(n)) && sh.indexable() && slices.Equal(b, appendShape(nil, sh))
	return sh, ok
}
