package template

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Limits of a schema.
const (
	MaxFields  = 1024 // fields of a kind
	MaxSupers  = 64   // kinds that a kind embeds, to any depth
	MaxNameLen = 255  // bytes in the name of a kind or field
)

// Check returns nil if s is well formed: valid names and classes, no name twice, supers sorted, all within the limits.
// Schemas from outside must pass it before they are used.
func (s *Schema) Check() error {
	if err := checkName(s.Kind); err != nil {
		return fmt.Errorf("template: kind: %w", err)
	}
	if err := s.checkFields(); err != nil {
		return fmt.Errorf("template: kind %q: %w", s.Kind, err)
	}
	if err := s.checkSupers(); err != nil {
		return fmt.Errorf("template: kind %q: %w", s.Kind, err)
	}
	return nil
}

func (s *Schema) checkFields() error {
	if len(s.Fields) > MaxFields {
		return fmt.Errorf("%d fields, more than %d", len(s.Fields), MaxFields)
	}
	seen := make(map[string]bool, len(s.Fields))
	routed := false
	for _, f := range s.Fields {
		if err := checkName(f.Name); err != nil {
			return fmt.Errorf("a field: %w", err)
		}
		switch {
		case seen[f.Name]:
			return fmt.Errorf("field %q is there twice", f.Name)
		case !f.Class.Valid():
			return fmt.Errorf("field %q: unknown %s", f.Name, f.Class)
		case f.Role&^(ID|Route) != 0:
			return fmt.Errorf("field %q: unknown role %d", f.Name, f.Role)
		case f.Role&Route != 0 && routed:
			return fmt.Errorf("field %q: a kind has at most one route field", f.Name)
		}
		seen[f.Name] = true
		routed = routed || f.Role&Route != 0
	}
	return nil
}

func (s *Schema) checkSupers() error {
	if len(s.Supers) > MaxSupers {
		return fmt.Errorf("embeds %d kinds, more than %d", len(s.Supers), MaxSupers)
	}
	for i, k := range s.Supers {
		if err := checkName(k); err != nil {
			return fmt.Errorf("embedded kind: %w", err)
		}
		if i > 0 && s.Supers[i-1] >= k {
			return fmt.Errorf("embedded kinds %q are not sorted or not distinct", s.Supers)
		}
	}
	if slices.Contains(s.Supers, s.Kind) {
		return errors.New("embeds itself")
	}
	return nil
}

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case len(name) > MaxNameLen:
		return fmt.Errorf("the name has %d bytes; it may have %d", len(name), MaxNameLen)
	case !utf8.ValidString(name):
		return fmt.Errorf("the name %q is not valid UTF-8", name)
	}
	return nil
}
