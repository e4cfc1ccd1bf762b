package engine

import (
	"encoding/binary"
	"slices"

	"github.com/gospaces/gospaces/template"
)

// shape says what an index serves: templates that fix the fields in eq and ask for an ordering by keys or, without
// keys, for the oldest match. Templates may bound the first of keys to a range; or another field, if the shape names it.
type shape struct {
	eq    fieldSet
	keys  []template.Order
	bound int // 1 + the field that is bounded to a range, and that is not the first of keys; 0: none
}

func (sh shape) equal(o shape) bool {
	return sh.eq == o.eq && sh.bound == o.bound && slices.Equal(sh.keys, o.keys)
}

// ranged returns the field that is bounded to a range, if there is one beside keys.
func (sh shape) ranged() (field int, ok bool) { return sh.bound - 1, sh.bound > 0 }

// hashed reports whether equality is all that the shape serves.
func (sh shape) hashed() bool { return len(sh.keys) == 0 && sh.bound == 0 }

// shapeOf returns the shape of the index that serves conds in an order, or by age if that is empty.
func shapeOf(conds []template.Cond, order []template.Order) shape {
	sh := shape{eq: equalities(conds), keys: order}
	constant := func(key template.Order) bool { return key.Field >= absent || fixes(conds, key.Field) }
	if slices.ContainsFunc(order, constant) {
		sh.keys = slices.DeleteFunc(slices.Clone(order), constant)
	}
	for i := range conds {
		f := conds[i].Field
		switch {
		case !ranged(conds[i].Op) || f >= absent || fixes(conds, f):
		case len(sh.keys) > 0 && f == sh.keys[0].Field:
			sh.bound = 0
			return sh
		case sh.bound == 0:
			sh.bound = f + 1
		}
	}
	return sh
}

// fixes reports whether conds fix a field to one value.
func fixes(conds []template.Cond, field int) bool {
	return slices.ContainsFunc(conds, func(c template.Cond) bool { return c.Field == field && c.Op == template.Eq })
}

// indexable reports whether there can be an index of the shape.
func (sh shape) indexable() bool { return sh.eq != 0 || !sh.hashed() }

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
	if sh.bound > 0 {
		dst = binary.AppendUvarint(dst, uint64(sh.bound))
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
	if len(d.b) > 0 {
		sh.bound = int(min(d.uvarint(), uint64(n)))
	}
	ok = sh.eq.within(fieldsBelow(n)) && sh.indexable() && slices.Equal(b, appendShape(nil, sh))
	return sh, ok
}
