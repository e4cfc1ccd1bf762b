package template

import (
	"fmt"
	"slices"
)

// Bind returns a codec of the same type for rows of s. Fields are matched by name; s may have more fields, in another
// order, and may be the schema of a kind that embeds this one. Fields that s lacks read as null and cannot be written.
// Bind returns ErrSchemaConflict if a field has a class of another family in s.
func (c *Codec) Bind(s *Schema) (*Codec, error) {
	b := &Codec{typ: c.typ, ptr: c.ptr, supers: c.supers, members: c.members, schema: s, slots: make([]int, len(s.Fields))}
	for i, f := range s.Fields {
		b.slots[i] = slices.IndexFunc(c.members, func(m member) bool { return m.Name == f.Name })
		if k := b.slots[i]; k >= 0 && !c.members[k].Class.SameFamily(f.Class) {
			return nil, fmt.Errorf("%w: field %q of kind %q is %s, and %s in Go type %s",
				ErrSchemaConflict, f.Name, s.Kind, f.Class, c.members[k].Class, c.typ)
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
