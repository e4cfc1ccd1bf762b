package template

import (
	"fmt"
	"reflect"
	"time"
	"unsafe"
)

// Template returns the conditions of a query by example: fields of v, a T or *T, that have Go's zero value are
// wildcards; the others must be equal. A nil v, or a nil *T, sets no condition. Template returns an error if a field
// cannot be stored.
func (c *Codec) Template(v any) ([]Cond, error) {
	if rv := reflect.ValueOf(v); v == nil || rv.Type() == c.ptr && rv.IsNil() {
		return nil, nil
	}
	p, err := c.address(v)
	if err != nil {
		return nil, err
	}
	var conds []Cond
	var memory []byte // holds all operands; after it grows, earlier operands keep the old array
	for i := range c.members {
		m := &c.members[i]
		at := unsafe.Add(p, m.offset)
		if m.coder.isZero(at) {
			continue
		}
		if c.places[i] < 0 {
			return nil, fmt.Errorf("%w: kind %q has no field %q", ErrSchemaConflict, c.schema.Kind, m.Name)
		}
		if memory == nil {
			memory = make([]byte, 0, 64)
		}
		start := len(memory)
		if memory, err = m.coder.append(memory, at, 0); err != nil {
			return nil, fmt.Errorf("template: field %q of kind %q: %w", m.Name, c.schema.Kind, err)
		}
		conds = append(conds, equal(c.places[i], memory[start:len(memory):len(memory)]))
	}
	return conds, nil
}

// isZero reports whether the value at p is the zero value of its type. For times, the location does not matter.
func (c *coder) isZero(p unsafe.Pointer) bool {
	switch c.typ.Kind() {
	case reflect.Int, reflect.Uint:
		return *(*uint)(p) == 0
	case reflect.Int64, reflect.Uint64:
		return *(*uint64)(p) == 0
	case reflect.Bool, reflect.Int8, reflect.Uint8:
		return *(*uint8)(p) == 0
	case reflect.String:
		return *(*string)(p) == ""
	case reflect.Slice, reflect.Pointer, reflect.Map:
		return *(*unsafe.Pointer)(p) == nil // the first word of a slice is its array
	case reflect.Struct:
		if c.class == Time {
			return (*time.Time)(p).IsZero()
		}
	}
	return reflect.NewAt(c.typ, p).Elem().IsZero()
}

// equal returns the condition that a field equals val; an empty val is null.
func equal(field int, val Value) Cond {
	if len(val) == 0 {
		return Cond{Field: field, Op: IsNull}
	}
	return Cond{Field: field, Op: Eq, Value: val}
}
