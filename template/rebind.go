package template

import (
	"fmt"
	"slices"
)

// Bound is a template bound to one schema: conditions and ordering name fields by their positions there.
type Bound struct {
	Conds []Cond
	Order []Order
	Known bool // the schema has every field that conditions and ordering name
	Never bool // no row matches: a condition that null does not satisfy names a field that the schema lacks
}

// Rebind translates conds and order, which name positions in fields, to rows of s. A field that s lacks is null in
// every row, so conditions that ask for null there, and keys of the ordering, are dropped. Rebind returns
// ErrSchemaConflict if one of fields has a class of another family in s. It allocates nothing if s begins with fields.
func (s *Schema) Rebind(fields []Field, conds []Cond, order []Order) (Bound, error) {
	if s.beginsWith(fields) {
		return Bound{Conds: conds, Order: order, Known: true}, nil
	}
	if err := checkPlaces(len(fields), conds, order); err != nil {
		return Bound{}, err
	}
	if err := s.Agree(fields); err != nil {
		return Bound{}, err
	}
	return s.translate(fields, conds, order), nil
}

// checkPlaces returns an error if a condition or a key names a field other than the first n.
func checkPlaces(n int, conds []Cond, order []Order) error {
	for i := range conds {
		if f := conds[i].Field; f < 0 || f >= n {
			return fmt.Errorf("template: condition on field %d of %d", f, n)
		}
	}
	for i := range order {
		if f := order[i].Field; f < 0 || f >= n {
			return fmt.Errorf("template: ordering by field %d of %d", f, n)
		}
	}
	return nil
}

// RebindNamed is Rebind that looks only at the fields that conds and order name.
func (s *Schema) RebindNamed(fields []Field, conds []Cond, order []Order) (Bound, error) {
	named := slices.Clone(fields)
	for i := range named {
		inConds := slices.ContainsFunc(conds, func(c Cond) bool { return c.Field == i })
		if !inConds && !slices.ContainsFunc(order, func(o Order) bool { return o.Field == i }) {
			named[i].Class = 0
		}
	}
	return s.Rebind(named, conds, order)
}

// Extends reports whether rows of old are rows of s: the fields of old are the first fields of s.
func (s *Schema) Extends(old *Schema) bool { return s.beginsWith(old.Fields) }

// beginsWith reports whether fields are the first fields of s.
func (s *Schema) beginsWith(fields []Field) bool {
	if len(fields) == 0 {
		return true
	}
	if len(fields) > len(s.Fields) {
		return false
	}
	if &fields[0] == &s.Fields[0] {
		return true
	}
	for i := range fields {
		if fields[i].Name != s.Fields[i].Name || !fields[i].Class.fits(s.Fields[i].Class) {
			return false
		}
	}
	return true
}

// Agree returns ErrSchemaConflict if one of fields has a class of another family in s.
func (s *Schema) Agree(fields []Field) error {
	for _, f := range fields {
		if i := s.Index(f.Name); i >= 0 && !f.Class.fits(s.Fields[i].Class) {
			return fmt.Errorf("%w: field %q of kind %q is %s, not %s",
				ErrSchemaConflict, f.Name, s.Kind, s.Fields[i].Class, f.Class)
		}
	}
	return nil
}

// fits reports whether a field of class c in a template may have class d in a schema. Class 0 is that of a field that
// is known by name only.
func (c Class) fits(d Class) bool { return c == 0 || c.SameFamily(d) }

// translate is Rebind for fields that agree with s.
func (s *Schema) translate(fields []Field, conds []Cond, order []Order) Bound {
	b := Bound{Known: true}
	for _, c := range conds {
		i := s.Index(fields[c.Field].Name)
		if i < 0 {
			b.Known = false
			b.Never = b.Never || c.Op != IsNull
			continue
		}
		c.Field = i
		b.Conds = append(b.Conds, c)
	}
	for _, o := range order {
		i := s.Index(fields[o.Field].Name)
		if i < 0 {
			b.Known = false
			continue
		}
		o.Field = i
		b.Order = append(b.Order, o)
	}
	return b
}
