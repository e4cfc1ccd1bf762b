package template

import (
	"fmt"
	"reflect"
	"unsafe"
)

// address returns the address of the struct v, a T or a non-nil *T; a T is copied to the heap.
func (c *Codec) address(v any) (unsafe.Pointer, error) {
	switch rv := reflect.ValueOf(v); {
	case v == nil:
	case rv.Type() == c.ptr:
		if !rv.IsNil() {
			return rv.UnsafePointer(), nil
		}
	case rv.Type() == c.typ:
		to := reflect.New(c.typ)
		to.Elem().Set(rv)
		return to.UnsafePointer(), nil
	}
	return nil, fmt.Errorf("template: %T instead of a %s or a pointer to one", v, c.typ)
}

// AppendRow appends v, a T or *T, as a row. It returns an error for a value that cannot be stored: one that nests too
// deeply, or a map in which two keys are the same value. It returns ErrSchemaConflict if the type has a field that the
// schema lacks. For a *T with flat fields it allocates only room in dst.
func (c *Codec) AppendRow(dst []byte, v any) ([]byte, error) {
	if c.lacking != "" {
		return dst, fmt.Errorf("%w: kind %q has no field %q", ErrSchemaConflict, c.schema.Kind, c.lacking)
	}
	p, err := c.address(v)
	if err != nil {
		return dst, err
	}
	start, end := len(dst), len(dst)
	for i, k := range c.slots {
		if k < 0 {
			dst = append(dst, 0)
			continue
		}
		m, at := &c.members[k], len(dst)
		if dst, err = m.coder.appendSized(dst, unsafe.Add(p, m.offset), 0); err != nil {
			return dst[:start], fmt.Errorf("template: field %q of kind %q: %w", c.schema.Fields[i].Name, c.schema.Kind, err)
		}
		if len(dst) > at+1 {
			end = len(dst)
		}
	}
	return dst[:end], nil
}

// DecodeRow sets the stored fields of v, a non-nil *T, from r; fields that are null or missing become zero. Nothing in
// v aliases r. It returns an *UnusableEntryError if a value does not fit its Go field, or r is malformed; v is then
// partly set.
func (c *Codec) DecodeRow(r Row, v any) error {
	rv := reflect.ValueOf(v)
	if v == nil || rv.Type() != c.ptr || rv.IsNil() {
		return fmt.Errorf("template: %T instead of a pointer to a %s", v, c.typ)
	}
	p := rv.UnsafePointer()
	if c.lacking != "" {
		c.zero(p)
	}
	rest := []byte(r)
	for i, k := range c.slots {
		var val Value
		if len(rest) > 0 {
			var ok bool
			if val, rest, ok = cut(rest); !ok {
				return c.unusable(r, ErrMalformed)
			}
		}
		if k < 0 {
			continue
		}
		m := &c.members[k]
		if err := m.coder.set(unsafe.Add(p, m.offset), val, 0); err != nil {
			return c.unusable(r, fmt.Errorf("field %q: %w", c.schema.Fields[i].Name, err))
		}
	}
	return nil
}

func (c *Codec) zero(p unsafe.Pointer) {
	for i := range c.members {
		m := &c.members[i]
		_ = m.coder.set(unsafe.Add(p, m.offset), nil, 0) // null always fits
	}
}
