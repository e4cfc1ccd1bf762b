package store

import (
	"slices"

	"github.com/gospaces/gospaces/template"
)

// Shape describes the templates that an index serves: those that fix the fields in Eq and ask for an ordering by Keys
// or, without keys, for the oldest match. They may bound the first key to a range; or another field, if the shape names
// it.
type Shape struct {
	Eq    FieldSet
	Keys  []template.Order
	Bound int // 1 + the field that is bounded to a range, other than the first of Keys; 0: none
}

// Equal reports whether two shapes are the same.
func (sh Shape) Equal(o Shape) bool {
	return sh.Eq == o.Eq && sh.Bound == o.Bound && slices.Equal(sh.Keys, o.Keys)
}

// Ranged returns the field that is bounded to a range, if there is one besides Keys.
func (sh Shape) Ranged() (field int, ok bool) { return sh.Bound - 1, sh.Bound > 0 }

// Hashed reports whether the shape serves equality only.
func (sh Shape) Hashed() bool { return len(sh.Keys) == 0 && sh.Bound == 0 }

// ShapeOf returns the shape of the index that serves conds in the given order, or by age if order is empty.
func ShapeOf(conds []template.Cond, order []template.Order) Shape {
	sh := Shape{Eq: Equalities(conds), Keys: order}
	constant := func(key template.Order) bool { return key.Field >= Absent || fixes(conds, key.Field) }
	if slices.ContainsFunc(order, constant) {
		sh.Keys = slices.DeleteFunc(slices.Clone(order), constant)
	}
	for i := range conds {
		f := conds[i].Field
		switch {
		case !ranged(conds[i].Op) || f >= Absent || fixes(conds, f):
		case len(sh.Keys) > 0 && f == sh.Keys[0].Field:
			sh.Bound = 0
			return sh
		case sh.Bound == 0:
			sh.Bound = f + 1
		}
	}
	return sh
}

// Absent stands for a field that a kind lacks; rows have null there.
const Absent = 1 << 20

// fixes reports whether conds fix a field to one value.
func fixes(conds []template.Cond, field int) bool {
	return slices.ContainsFunc(conds, func(c template.Cond) bool { return c.Field == field && c.Op == template.Eq })
}

// Indexable reports whether an index of the shape can exist.
func (sh Shape) Indexable() bool { return sh.Eq != 0 || !sh.Hashed() }
