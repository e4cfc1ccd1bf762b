package template

import (
	"encoding/binary"
	"fmt"
)

// CheckNamed returns nil if a template that brings its own fields is well formed: its names and classes are valid, and
// its conditions and ordering are legal for them. A field of class 0 is known by name only: it can be tested for null,
// and ordered by.
func CheckNamed(t *Template, order []Order) error {
	if err := checkName(t.Kind); err != nil {
		return fmt.Errorf("template: kind: %w", err)
	}
	if len(t.Fields) > MaxFields {
		return fmt.Errorf("template: kind %q: %d fields, more than %d", t.Kind, len(t.Fields), MaxFields)
	}
	for _, f := range t.Fields {
		if err := checkName(f.Name); err != nil {
			return fmt.Errorf("template: kind %q: field: %w", t.Kind, err)
		}
		if f.Class != 0 && !f.Class.Valid() {
			return fmt.Errorf("template: kind %q: field %q: unknown %s", t.Kind, f.Name, f.Class)
		}
	}
	if err := CheckConds(&Schema{Kind: t.Kind, Fields: t.Fields}, t.Conds); err != nil {
		return err
	}
	if len(order) > MaxOrder {
		return fmt.Errorf("template: ordering by %d keys, more than %d", len(order), MaxOrder)
	}
	for _, o := range order {
		if o.Field < 0 || o.Field >= len(t.Fields) {
			return fmt.Errorf("template: ordering by field %d of %d", o.Field, len(t.Fields))
		}
	}
	return nil
}

// AppendFields appends the names and classes of the fields of a template.
func AppendFields(dst []byte, fields []Field) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(fields)))
	for _, f := range fields {
		dst = appendPrefixed(append(dst, byte(f.Class)), f.Name)
	}
	return dst
}

// DecodeFields decodes at most limit fields from the front of b and returns the rest of b. The fields share nothing
// with b. It returns ErrMalformed for other bytes. It does not check the fields; see CheckNamed.
func DecodeFields(b []byte, limit int) (fields []Field, rest []byte, err error) {
	r := reader{b: b}
	for n := r.count(limit); n > 0 && !r.bad; n-- {
		fields = append(fields, Field{Class: Class(r.byte()), Name: r.string()})
	}
	if r.bad {
		return nil, nil, fmt.Errorf("%w of fields", ErrMalformed)
	}
	return fields, r.b, nil
}
