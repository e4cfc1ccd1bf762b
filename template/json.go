package template

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendJSON appends a row of s as one JSON object: its fields in schema order, without the nulls, as Value.AppendJSON
// writes them. ParseJSON reads it back.
func AppendJSON(dst []byte, s *Schema, r Row) []byte {
	dst = append(dst, '{')
	first := true
	for i, v := range r.Fields() {
		if v == nil || i >= len(s.Fields) {
			continue
		}
		dst = appendComma(dst, first)
		first = false
		dst = appendJSONString(dst, s.Fields[i].Name)
		dst = v.AppendJSON(append(dst, ':'))
	}
	return append(dst, '}')
}

// AppendJSON appends v as JSON: integers exactly, floats with a point or exponent (NaN and infinities as strings),
// times as RFC 3339 in UTC, durations as in "1.5s", byte strings in base64, map keys as strings; null for null and for
// what is malformed.
func (v Value) AppendJSON(dst []byte) []byte { return v.appendJSON(dst, 0) }

// String returns v as JSON, for messages and debugging.
func (v Value) String() string { return string(v.AppendJSON(nil)) }

func (v Value) appendJSON(dst []byte, depth int) []byte {
	switch c := v.Class(); {
	case c == Int:
		return v.appendInteger(dst)
	case c == Bytes:
		dst = base64.StdEncoding.AppendEncode(append(dst, '"'), v[1:])
		return append(dst, '"')
	case c == List && depth < maxDepth:
		return v.appendArray(dst, depth)
	case c == Map && depth < maxDepth:
		return v.appendObject(dst, depth)
	}
	switch x := v.any(depth).(type) {
	case bool:
		return strconv.AppendBool(dst, x)
	case float64:
		return appendJSONFloat(dst, x)
	case string:
		return appendJSONString(dst, x)
	case time.Time:
		dst = x.AppendFormat(append(dst, '"'), time.RFC3339Nano)
		return append(dst, '"')
	case time.Duration:
		return appendJSONString(dst, x.String())
	}
	return append(dst, "null"...)
}

func (v Value) appendInteger(dst []byte) []byte {
	m, negative, ok := v.magnitude()
	if !ok {
		return append(dst, "null"...)
	}
	if negative {
		dst = append(dst, '-')
	}
	return strconv.AppendUint(dst, m, 10)
}

// appendJSONFloat writes an integral float with a point or exponent, so that it is read back as a float.
func appendJSONFloat(dst []byte, f float64) []byte {
	format := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e15) {
		format = 'e'
	}
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		dst = strconv.AppendFloat(append(dst, '"'), f, 'g', -1, 64)
		return append(dst, '"')
	case format == 'f' && f == math.Trunc(f):
		return strconv.AppendFloat(dst, f, 'f', 1, 64)
	}
	return strconv.AppendFloat(dst, f, format, -1, 64)
}

func (v Value) appendArray(dst []byte, depth int) []byte {
	dst = append(dst, '[')
	first := true
	for e := range v.Elements() {
		dst = e.appendJSON(appendComma(dst, first), depth+1)
		first = false
	}
	return append(dst, ']')
}

func (v Value) appendObject(dst []byte, depth int) []byte {
	dst = append(dst, '{')
	first := true
	for key, e := range v.Pairs() {
		dst = key.appendJSONKey(appendComma(dst, first), depth+1)
		dst = e.appendJSON(append(dst, ':'), depth+1)
		first = false
	}
	return append(dst, '}')
}

// appendJSONKey appends v as a string, the only type of key that JSON has.
func (v Value) appendJSONKey(dst []byte, depth int) []byte {
	text := v.appendJSON(nil, depth)
	if text[0] == '"' {
		return append(dst, text...)
	}
	return appendJSONString(dst, string(text))
}

func appendComma(dst []byte, first bool) []byte {
	if first {
		return dst
	}
	return append(dst, ',')
}

// appendJSONString quotes s; bytes that are not UTF-8 become U+FFFD.
func appendJSONString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r < 0x20 || r == 0x7F:
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
