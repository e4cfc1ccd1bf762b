package template

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// InferSchema returns base extended by the members of a JSON object that it lacks, in the order of the object; base
// itself if there are none. A nil base stands for an empty schema of the kind. Numbers with a point or exponent become
// floats, other numbers integers, objects maps; null adds no field. InferSchema does not check that the object fits the
// fields of base; ParseJSON does.
func InferSchema(kind string, base *Schema, data []byte) (*Schema, error) {
	if base == nil {
		base = &Schema{Kind: kind}
	}
	if base.Kind != kind {
		return nil, fmt.Errorf("template: schema of kind %q for an object of kind %q", base.Kind, kind)
	}
	members, err := parseObject(data)
	if err != nil {
		return nil, err
	}
	s := &Schema{Kind: kind, Fields: slices.Clip(base.Fields), Supers: base.Supers}
	for _, m := range members {
		if m.value != nil && base.Index(m.name) < 0 {
			s.Fields = append(s.Fields, Field{Name: m.name, Class: classOfJSON(m.value)})
		}
	}
	if err := s.Check(); err != nil {
		return nil, err
	}
	if len(s.Fields) == len(base.Fields) {
		return base, nil
	}
	return s, nil
}

// classOfJSON returns the class of a decoded JSON value that is not null.
func classOfJSON(x any) Class {
	switch x := x.(type) {
	case bool:
		return Bool
	case string:
		return String
	case json.Number:
		if strings.ContainsAny(x.String(), ".eE") {
			return Float
		}
		return Int
	case []any:
		return List
	}
	return Map
}
