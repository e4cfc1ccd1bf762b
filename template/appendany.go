package template

import (
	"fmt"
	"reflect"
	"time"
)

// appendAny appends the value of v: any Go value that could be a field, or one that Value.Any returned. It appends
// nothing for nil, and for nil pointers, slices and maps.
func appendAny(dst []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return dst, nil
	case bool:
		return AppendBool(dst, v), nil
	case int:
		return AppendInt(dst, int64(v)), nil
	case int64:
		return AppendInt(dst, v), nil
	case uint64:
		return AppendUint(dst, v), nil
	case float64:
		return AppendFloat(dst, v), nil
	case string:
		return AppendString(dst, v), nil
	case time.Time:
		return AppendTime(dst, v), nil
	case time.Duration:
		return AppendDuration(dst, v), nil
	case []any:
		return appendAnyList(dst, v, depth)
	case map[string]any:
		return appendAnyMap(dst, v, depth)
	case Pairs:
		return appendAnyPairs(dst, v, depth)
	}
	return appendReflect(dst, v, depth)
}

// appendReflect appends v with a coder compiled for this one call.
func appendReflect(dst []byte, v any, depth int) ([]byte, error) {
	c, err := make(compiler).coder(reflect.TypeOf(v))
	if err != nil {
		return dst, err
	}
	to := reflect.New(c.typ)
	to.Elem().Set(reflect.ValueOf(v))
	return c.append(dst, to.UnsafePointer(), depth)
}

func appendAnyList(dst []byte, list []any, depth int) ([]byte, error) {
	if list == nil {
		return dst, nil
	}
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

func appendAnyMap(dst []byte, m map[string]any, depth int) ([]byte, error) {
	if m == nil {
		return dst, nil
	}
	pairs := make(Pairs, 0, len(m))
	for k, e := range m {
		pairs = append(pairs, Pair{k, e})
	}
	return appendAnyPairs(dst, pairs, depth)
}

func appendAnyPairs(dst []byte, m Pairs, depth int) ([]byte, error) {
	if m == nil {
		return dst, nil
	}
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
