package template

import (
	"fmt"
	"reflect"
	"slices"
	"unsafe"
)

// Codec turns values of one Go struct type into rows and templates, and back. It is immutable and safe for concurrent use.
type Codec struct {
	typ     reflect.Type
	ptr     reflect.Type // *typ
	supers  []*Schema
	members []member // in the order of the type's own schema
	schema  *Schema  // whose order rows have
	slots   []int    // for every field of schema the member that holds it, or -1
	places  []int    // for every member its field of schema, or -1
	lacking string   // a member that schema lacks, if any
}

// Compile returns the codec of a struct type, in the order of the type's own schema. It takes a while; keep the result.
// It returns an error that names type and field for what cannot be stored.
func Compile(t reflect.Type) (*Codec, error) {
	if t == nil || t.Kind() != reflect.Struct || isTime(t) {
		return nil, fmt.Errorf("template: %v is not a struct type that could be a kind", t)
	}
	cs := make(compiler)
	s, supers, err := cs.schema(t)
	if err != nil {
		return nil, err
	}
	l, err := cs.layout(t)
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	c := &Codec{typ: t, ptr: reflect.PointerTo(t), supers: supers, members: l.members}
	return c.Bind(s)
}

// schema returns the schema of t and of every kind that it embeds, deepest first.
func (cs compiler) schema(t reflect.Type) (*Schema, []*Schema, error) {
	l, err := cs.layout(t)
	if err != nil {
		return nil, nil, fmt.Errorf("template: %w", err)
	}
	var supers []*Schema
	for _, e := range l.embedded {
		inner, above, err := cs.schema(e)
		if err != nil {
			return nil, nil, err
		}
		supers = append(append(supers, above...), inner)
	}
	s := &Schema{}
	if s.Kind, err = kindOf(t, supers); err != nil {
		return nil, nil, err
	}
	for _, m := range l.members {
		s.Fields = append(s.Fields, m.Field)
	}
	for _, k := range supers {
		s.Supers = append(s.Supers, k.Kind)
	}
	slices.Sort(s.Supers)
	if err := s.Check(); err != nil {
		return nil, nil, fmt.Errorf("%w (Go type %s)", err, t)
	}
	return s, supers, nil
}

// Schema returns the schema in whose order the codec reads and writes rows: the type's own, or what Bind was given.
func (c *Codec) Schema() *Schema { return c.schema }

// Supers returns the schemas of the kinds that the type embeds, deepest first: the order in which to register them,
// before the type's own.
func (c *Codec) Supers() []*Schema { return c.supers }

// Bind returns a codec of the same type for rows of s. Fields are matched by name; s may order them otherwise and have
// more, and it may be the schema of a kind that embeds this one. Fields that s lacks read as null, but cannot be
// written. It returns ErrSchemaConflict if a field has a class of another family in s.
func (c *Codec) Bind(s *Schema) (*Codec, error) {
	b := &Codec{typ: c.typ, ptr: c.ptr, supers: c.supers, members: c.members, schema: s, slots: make([]int, len(s.Fields))}
	for i, f := range s.Fields {
		b.slots[i] = slices.IndexFunc(c.members, func(m member) bool { return m.Name == f.Name })
		if k := b.slots[i]; k >= 0 && !c.members[k].Class.SameFamily(f.Class) {
			return nil, fmt.Errorf("%w: field %q of kind %q is %s, and %s in Go type %s", ErrSchemaConflict, f.Name, s.Kind, f.Class, c.members[k].Class, c.typ)
		}
	}
	for _, m := range c.members {
		place := s.Index(m.Name)
		if place < 0 {
			b.lacking = m.Name
		}
		b.places = append(b.places, place)
	}
	return b, nil
}

// address returns where the struct v is, which is a T or a non-nil *T; a T is copied to the heap.
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

// AppendRow appends v, a T or *T, as a row. It returns an error for what cannot be stored: nesting that is too deep,
// a map with two keys that are the same value; and ErrSchemaConflict if the type has a field that the schema lacks.
// For a *T whose fields are flat it allocates nothing but room in dst.
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

// DecodeRow sets the stored fields of v, a non-nil *T, from r; null and missing ones to their zero values. Nothing in v
// aliases r. It returns an *UnusableEntryError if a value does not fit its Go field, or r is malformed; v is then partly set.
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
