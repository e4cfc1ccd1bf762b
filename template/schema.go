package template

import (
	"errors"
	"fmt"
	"slices"
)

// ErrSchemaConflict is returned when a schema contradicts the one that a kind already has in a space.
var ErrSchemaConflict = errors.New("template: schema conflict")

// Field describes one field of a kind.
type Field struct {
	Name  string
	Class Class
	Role  Role
}

// Role is the purpose of a field beyond its value; the zero Role has none.
type Role uint8

const (
	ID    Role = 1 << iota // `space:"name,id"`: identifies the entry to people
	Route                  // `space:"name,route"`: decides the partition
)

// Schema is the shape of a kind: its fields in the order in which rows store them, and the kinds it embeds. A space
// keeps one schema per kind; it only grows, at the end. Schemas are immutable once shared.
type Schema struct {
	Kind   string
	Fields []Field
	Supers []string // every kind that this one embeds, to any depth, sorted
}

// Index returns the position of the named field, or -1.
func (s *Schema) Index(name string) int {
	return slices.IndexFunc(s.Fields, func(f Field) bool { return f.Name == name })
}

// Reclassified returns s with the classes of next for fields that both have; s itself if these are the same.
func (s *Schema) Reclassified(next *Schema) *Schema {
	if s.Agree(next.Fields) == nil {
		return s
	}
	r := &Schema{Kind: s.Kind, Fields: slices.Clone(s.Fields), Supers: s.Supers}
	for i := range r.Fields {
		if at := next.Index(r.Fields[i].Name); at >= 0 && !r.Fields[i].Class.SameFamily(next.Fields[at].Class) {
			r.Fields[i].Class = next.Fields[at].Class
		}
	}
	return r
}

// Merge returns s extended by the fields and supers that only next has; s itself if there are none. It returns
// ErrSchemaConflict if a field changes to a class of another family, or if the result would fail Check though both
// arguments pass: too many fields, or a second route field. Merge does not change its arguments.
func (s *Schema) Merge(next *Schema) (*Schema, error) {
	merged := &Schema{Kind: s.Kind, Fields: slices.Clip(s.Fields), Supers: slices.Clip(s.Supers)}
	for _, f := range next.Fields {
		i := s.Index(f.Name)
		if i < 0 {
			merged.Fields = append(merged.Fields, f)
			continue
		}
		if have := s.Fields[i].Class; !have.SameFamily(f.Class) {
			return nil, fmt.Errorf("%w: field %q of kind %q is %s and cannot become %s",
				ErrSchemaConflict, f.Name, s.Kind, have, f.Class)
		}
	}
	for _, k := range next.Supers {
		if !slices.Contains(merged.Supers, k) {
			merged.Supers = append(merged.Supers, k)
		}
	}
	if len(merged.Fields) == len(s.Fields) && len(merged.Supers) == len(s.Supers) {
		return s, nil
	}
	slices.Sort(merged.Supers)
	if err := merged.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchemaConflict, err)
	}
	return merged, nil
}
