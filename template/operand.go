package template

import (
	"fmt"
	"math"
	"reflect"
)

// Operand returns the position of the named field and v as an operand for it. Any Go integer fits an integer field, and
// a float field that holds it exactly; a float with an integral value fits an integer field. Otherwise v must be of the
// field's own class. It returns an error that names field and classes if there is no such field or v does not fit it;
// nil fits none, since null is asked for by IsNull.
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
		return 0, nil, fmt.Errorf("field %q of kind %q: nil is no value to compare with; ask for null explicitly", field, s.Kind)
	}
	return i, val, nil
}

// appendAs appends v as a value of class c, nothing if v is nil.
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
	return dst[:start], fmt.Errorf("%s %v does not fit a field of class %s", val.Class(), v, c)
}

// appendAny appends the value of any Go value that could be a field, and of those that Value.Any returns; nothing for nil.
func appendAny(dst []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return dst, nil
	case string:
		return AppendString(dst, v), nil
	case int:
		return AppendInt(dst, int64(v)), nil
	case []any:
		return appendAnyList(dst, v, depth)
	case map[string]any:
		pairs := make(Pairs, 0, len(v))
		for k, e := range v {
			pairs = append(pairs, Pair{k, e})
		}
		return appendAnyPairs(dst, pairs, depth)
	case Pairs:
		return appendAnyPairs(dst, v, depth)
	}
	c, err := make(compiler).coder(reflect.TypeOf(v))
	if err != nil {
		return dst, err
	}
	to := reflect.New(c.typ)
	to.Elem().Set(reflect.ValueOf(v))
	return c.append(dst, to.UnsafePointer(), depth)
}

func appendAnyList(dst []byte, list []any, depth int) ([]byte, error) {
	if depth >= maxDepth {
		return dst, errTooDeep
	}
	dst = append(dst, tagList)
	for _, e := range list {
		at := len(dst)
		var err error
		if dst, err = appendAny(append(dst, 0), e, depth+1); err != nil {
			return dst, err
		}
		dst = fixSize(dst, at)
	}
	return dst, nil
}

func appendAnyPairs(dst []byte, m Pairs, depth int) ([]byte, error) {
	if depth >= maxDepth {
		return dst, errTooDeep
	}
	pairs := make([]pair, 0, len(m))
	for _, p := range m {
		both, err := appendAny([]byte{0}, p.Key, depth+1)
		if err != nil {
			return dst, err
		}
		both = fixSize(both, 0)
		key, _, _ := cut(both)
		if !key.Class().Ordered() {
			return dst, fmt.Errorf("a map with keys of type %T cannot be stored", p.Key)
		}
		at := len(both)
		if both, err = appendAny(append(both, 0), p.Value, depth+1); err != nil {
			return dst, err
		}
		pairs = append(pairs, pair{key, fixSize(both, at)})
	}
	return appendPairs(dst, pairs)
}
