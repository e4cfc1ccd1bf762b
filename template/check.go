package template

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrMalformed is returned for bytes that are not a canonical encoding.
var ErrMalformed = errors.New("template: malformed encoding")

// maxDepth bounds how deeply lists and maps nest: a list of numbers has depth 1.
const maxDepth = 64

// Check returns nil if v is the canonical encoding of a value of class c, or of its family; otherwise an error that
// wraps ErrMalformed. Null has no class and fails. Equality of bytes is equality of values only among values that pass.
func (v Value) Check(c Class) error {
	if !v.canonical(0) {
		return fmt.Errorf("%w of a value", ErrMalformed)
	}
	if !v.Class().SameFamily(c) {
		return fmt.Errorf("%w: %s instead of %s", ErrMalformed, v.Class(), c)
	}
	return nil
}

// Check returns nil if r is a canonical row of s: no more fields than s has, each null or a canonical value of its
// field's class family, and no null at the end. Otherwise it returns an error that wraps ErrMalformed, and also
// ErrSchemaConflict if the only fault is that values have other classes than their fields. It does not allocate for a
// good row.
func (r Row) Check(s *Schema) error {
	rest := []byte(r)
	for i := 0; len(rest) > 0; i++ {
		if i >= len(s.Fields) {
			return fmt.Errorf("%w: row has more fields than the %d of kind %q", ErrMalformed, len(s.Fields), s.Kind)
		}
		v, next, ok := cutCanonical(rest)
		if !ok {
			return fmt.Errorf("%w: length of field %q", ErrMalformed, s.Fields[i].Name)
		}
		if v != nil {
			if err := v.Check(s.Fields[i].Class); err != nil {
				if v.canonical(0) {
					err = fmt.Errorf("%w: %w", ErrSchemaConflict, err)
				}
				return fmt.Errorf("field %q of kind %q: %w", s.Fields[i].Name, s.Kind, err)
			}
		} else if len(next) == 0 {
			return fmt.Errorf("%w: row ends with a null", ErrMalformed)
		}
		rest = next
	}
	return nil
}

// canonical reports whether v is the one encoding of some value.
func (v Value) canonical(depth int) bool {
	switch v.Class() {
	case Bool:
		return len(v) == 1
	case Int:
		return v.canonicalInt()
	case Float:
		f, ok := v.Float()
		return ok && floatKey(f) == binary.BigEndian.Uint64(v[1:])
	case Time:
		return len(v) == 13 && binary.BigEndian.Uint32(v[9:]) < 1e9
	case Duration:
		return len(v) == 9
	case String, Bytes:
		return true
	case List:
		return depth < maxDepth && v.canonicalList(depth)
	case Map:
		return depth < maxDepth && v.canonicalMap(depth)
	}
	return false
}

func (v Value) canonicalInt() bool {
	m, negative, ok := v.magnitude()
	if !ok || negative && m > -math.MinInt64 {
		return false
	}
	return len(v) == 1 || m>>(8*(len(v)-2)) != 0 // no leading zero byte
}

func (v Value) canonicalList(depth int) bool {
	rest := []byte(v[1:])
	for len(rest) > 0 {
		elem, next, ok := cutCanonical(rest)
		if !ok || elem != nil && !elem.canonical(depth+1) {
			return false
		}
		rest = next
	}
	return true
}

func (v Value) canonicalMap(depth int) bool {
	var last Value
	rest := []byte(v[1:])
	for len(rest) > 0 {
		key, next, ok := cutCanonical(rest)
		if !ok || !key.Class().Ordered() || !key.canonical(depth+1) || bytes.Compare(last, key) >= 0 {
			return false
		}
		val, next, ok := cutCanonical(next)
		if !ok || val != nil && !val.canonical(depth+1) {
			return false
		}
		last, rest = key, next
	}
	return true
}
