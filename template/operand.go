package template

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// Operand returns the position of the named field and v as an operand for it. Any Go integer fits an integer field, and
// a float field that holds it exactly; a float with an integral value fits an integer field. Otherwise v must be of the
// field's own class. Operand returns an error that names the field and the classes if there is no such field or v does
// not fit. A nil v never fits: use IsNull to match null.
func (s *Schema) Operand(field string, v any) (int, Value, error) {
	i := s.Index(field)
	if i < 0 {
		return 0, nil, fmt.Errorf("kind %q has no field %q", s.Kind, field)
	}
	val, err := appendAs(nil, s.Fields[i].Class, v)
	if err != nil {
		return 0, nil, fmt.Errorf("field %q of kind %q: %w", field, s.Kind, err)
	}
	if val == nil {
		return 0, nil, fmt.Errorf("field %q of kind %q: nil is no value to compare with; ask for null explicitly",
			field, s.Kind)
	}
	return i, val, nil
}

// ClassOf returns the class of a field that holds v; 0 for nil. It returns an error if no field can hold v.
func ClassOf(v any) (Class, error) {
	val, err := appendAny(nil, v, 0)
	return Value(val).Class(), err
}

// appendAs appends v as a value of class c, or nothing if v is nil.
func appendAs(dst []byte, c Class, v any) ([]byte, error) {
	start := len(dst)
	dst, err := appendAny(dst, v, 0)
	if err != nil || len(dst) == start {
		return dst, err
	}
	val := Value(dst[start:])
	if val.Class().SameFamily(c) {
		return dst, nil
	}
	if f, ok := val.number(); ok && c == Float {
		return AppendFloat(dst[:start], f), nil
	}
	if f, ok := val.Float(); ok && c.SameFamily(Int) && f == math.Trunc(f) {
		switch {
		case f >= -1<<63 && f < 1<<63:
			return AppendInt(dst[:start], int64(f)), nil
		case f > 0 && f < 1<<64:
			return AppendUint(dst[:start], uint64(f)), nil
		}
	}
	return dst[:start], fmt.Errorf("%s %s does not fit a field of class %s", val.Class(), brief(v), c)
}

// brief shortens a value, which may have megabytes, for an error message.
func brief(v any) string {
	const most = 100
	text := fmt.Sprint(v)
	switch v.(type) {
	case []any, map[string]any: // as JSON has them
		if b, err := json.Marshal(v); err == nil {
			text = string(b)
		}
	}
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
