package template

import (
	"fmt"
	"reflect"
	"slices"
)

// Codec turns values of one Go struct type into rows and templates, and back. It is immutable and safe for concurrent
// use.
type Codec struct {
	typ     reflect.Type
	ptr     reflect.Type // *typ
	supers  []*Schema
	members []member // in the order of the type's own schema
	schema  *Schema  // gives the order of the fields in a row
	slots   []int    // for each field of schema, its member, or -1
	places  []int    // for each member, its field of schema, or -1
	lacking string   // a member that schema lacks, if any
}

// Compile returns the codec of a struct type, with the type's own schema. It is slow; keep the result. If a field
// cannot be stored it returns an error that names the type and the field.
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
	if len(l.members) == 0 && t.NumField() > 0 {
		return nil, fmt.Errorf("template: %s has no field that could be stored: export or embed one, "+
			"or store a struct without fields", t)
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

// Schema returns the schema that gives the order of fields in rows: the type's own, or the one given to Bind.
func (c *Codec) Schema() *Schema { return c.schema }

// Lacks reports whether the type has fields that the schema does not have.
func (c *Codec) Lacks() bool { return c.lacking != "" }

// Supers returns the schemas of the kinds that the type embeds, deepest first: the order in which to register them,
// before the type's own.
func (c *Codec) Supers() []*Schema { return c.supers }
