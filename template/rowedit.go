package template

import (
	"encoding/binary"
	"fmt"
	"unsafe"
)

// With returns a copy of r with field i set to v; nil is null.
func (r Row) With(i int, v Value) Row {
	out := make([]byte, 0, len(r)+i+binary.MaxVarintLen32+len(v))
	end, n := 0, 0
	add := func(v Value) {
		out = appendValue(out, v)
		if n++; len(v) > 0 {
			end = len(out)
		}
	}
	for at, old := range r.Fields() {
		if at == i {
			old = v
		}
		add(old)
	}
	for ; n < i; add(nil) {
	}
	if n == i {
		add(v)
	}
	return out[:end]
}

// Reordered appends r, a row of from, as a row of to. Every field of from must be in to.
func (r Row) Reordered(dst []byte, from, to *Schema) Row {
	values := make([]Value, len(to.Fields))
	for i, v := range r.Fields() {
		if at := to.Index(from.Fields[i].Name); at >= 0 {
			values[at] = v
		}
	}
	end := len(dst)
	for _, v := range values {
		if dst = appendValue(dst, v); len(v) > 0 {
			end = len(dst)
		}
	}
	return dst[:end]
}

// AppendOver is AppendRow for a type that may lack fields of the schema: it copies those from base, a row of the
// codec's schema, instead of leaving them null.
func (c *Codec) AppendOver(dst []byte, base Row, v any) ([]byte, error) {
	if c.lacking != "" {
		return dst, fmt.Errorf("%w: kind %q has no field %q", ErrSchemaConflict, c.schema.Kind, c.lacking)
	}
	p, err := c.address(v)
	if err != nil {
		return dst, err
	}
	start, end := len(dst), len(dst)
	rest := []byte(base)
	for i, k := range c.slots {
		var old Value
		if len(rest) > 0 {
			var ok bool
			if old, rest, ok = cut(rest); !ok {
				return dst[:start], ErrMalformed
			}
		}
		at := len(dst)
		if k < 0 {
			dst = appendValue(dst, old)
		} else if dst, err = c.members[k].appendOver(dst, old, p); err != nil {
			return dst[:start], fmt.Errorf("template: field %q of kind %q: %w", c.schema.Fields[i].Name, c.schema.Kind, err)
		}
		if len(dst) > at+1 {
			end = len(dst)
		}
	}
	return dst[:end], nil
}

// appendOver appends the member of the struct at p, length first, merged with its old value.
func (m *member) appendOver(dst []byte, old Value, p unsafe.Pointer) ([]byte, error) {
	start := len(dst)
	dst, err := m.coder.appendSized(dst, unsafe.Add(p, m.offset), 0)
	l := m.coder.structure()
	if err != nil || l == nil || old.Class() != Map {
		return dst, err
	}
	now, _, _ := cut(dst[start:])
	if now.Class() != Map {
		return dst, nil
	}
	merged, err := l.overlay(nil, old, now)
	return appendValue(dst[:start], merged), err
}

// appendValue appends the length of v, then v.
func appendValue(dst []byte, v Value) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(v))), v...)
}
