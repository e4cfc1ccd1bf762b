package template

import "bytes"

// Pair is one key and value of a Pairs.
type Pair struct{ Key, Value any }

// Pairs is what Value.Any returns for a map whose keys are not all strings, in the order of the encoded keys. A Go map
// cannot hold every such key: byte strings are not comparable, and NaN is never found again.
type Pairs []Pair

// Any returns v as a Go value that shares nothing with it: bool, int64, uint64 for integers beyond int64, float64,
// string, []byte, time.Time in UTC, time.Duration, []any, map[string]any, or Pairs for a map with other keys. It
// returns nil for null, and for a value that is malformed or nested too deeply.
func (v Value) Any() any { return v.any(0) }

func (v Value) any(depth int) any {
	switch v.Class() {
	case Bool:
		return orNil(v.Bool())
	case Int:
		if i, ok := v.Int(); ok {
			return i
		}
		return orNil(v.Uint())
	case Float:
		return orNil(v.Float())
	case String:
		return orNil(v.Text())
	case Bytes:
		return bytes.Clone(v[1:])
	case Time:
		return orNil(v.Time())
	case Duration:
		return orNil(v.Duration())
	case List:
		return v.list(depth)
	case Map:
		return v.mapping(depth)
	}
	return nil
}

func orNil[T any](x T, ok bool) any {
	if !ok {
		return nil
	}
	return x
}

func (v Value) list(depth int) any {
	if depth >= maxDepth {
		return nil
	}
	list := []any{}
	for e := range v.Elements() {
		list = append(list, e.any(depth+1))
	}
	return list
}

func (v Value) mapping(depth int) any {
	if depth >= maxDepth {
		return nil
	}
	if !v.hasTextKeys() {
		var pairs Pairs
		for k, e := range v.Pairs() {
			pairs = append(pairs, Pair{k.any(depth + 1), e.any(depth + 1)})
		}
		return pairs
	}
	m := make(map[string]any)
	for k, e := range v.Pairs() {
		m[string(k[1:])] = e.any(depth + 1)
	}
	return m
}

func (v Value) hasTextKeys() bool {
	for k := range v.Pairs() {
		if k.Class() != String {
			return false
		}
	}
	return true
}
