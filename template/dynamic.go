package template

import (
	"fmt"
	"maps"
	"slices"
)

// Map returns the fields of a row of s by name, as Value.Any returns them, without the nulls.
func (r Row) Map(s *Schema) map[string]any {
	m := make(map[string]any)
	for i, v := range r.Fields() {
		if v != nil && i < len(s.Fields) {
			m[s.Fields[i].Name] = v.Any()
		}
	}
	return m
}

// RowFromMap returns the row of s with the given fields; nil and absent ones are null. Values are converted as by
// Schema.Operand. If s lacks a field, or a value does not fit, RowFromMap returns an error that names the field.
func RowFromMap(s *Schema, fields map[string]any) (Row, error) {
	for _, name := range slices.Sorted(maps.Keys(fields)) { // so the same mistake always gives the same message
		if s.Index(name) < 0 {
			return nil, fmt.Errorf("template: kind %q has no field %q", s.Kind, name)
		}
	}
	var row []byte
	end := 0
	for _, f := range s.Fields {
		at := len(row)
		var err error
		if row, err = appendAs(append(row, 0), f.Class, fields[f.Name]); err != nil {
			return nil, fmt.Errorf("template: field %q of kind %q: %w", f.Name, s.Kind, err)
		}
		if len(row) > at+1 {
			row = fixSize(row, at)
			end = len(row)
		}
	}
	return row[:end], nil
}
