package writeback

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"

	"github.com/gospaces/gospaces/template"
)

// appendJSON appends v as jsonb accepts it, escaped for COPY: numbers as numbers, a duration in nanoseconds; byte
// strings in base64 and times as RFC 3339, as in encoding/json; infinities and NaN by name. Only texts can contain a
// backslash or a control character. The depth of values in the log is limited.
func appendJSON(dst []byte, v template.Value) []byte {
	switch v.Class() {
	case template.Bool:
		b, _ := v.Bool()
		return strconv.AppendBool(dst, b)
	case template.Int:
		return appendInteger(dst, v)
	case template.Float:
		f, _ := v.Float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return append(appendFloat(append(dst, '"'), f), '"')
		}
		return appendFloat(dst, f)
	case template.String:
		return appendJSONText(dst, v[1:])
	case template.Bytes:
		return append(base64.StdEncoding.AppendEncode(append(dst, '"'), v[1:]), '"')
	case template.Time:
		t, _ := v.Time()
		return append(t.AppendFormat(append(dst, '"'), time.RFC3339Nano), '"')
	case template.Duration:
		d, _ := v.Duration()
		return strconv.AppendInt(dst, int64(d), 10)
	case template.List:
		return appendJSONList(dst, v)
	case template.Map:
		return appendJSONMap(dst, v)
	}
	return append(dst, "null"...)
}

func appendJSONList(dst []byte, v template.Value) []byte {
	dst = append(dst, '[')
	first := true
	for elem := range v.Elements() {
		dst = appendJSON(appendComma(dst, &first), elem)
	}
	return append(dst, ']')
}

// appendJSONMap appends a map as an object.
func appendJSONMap(dst []byte, v template.Value) []byte {
	dst = append(dst, '{')
	first := true
	for key, val := range v.Pairs() {
		dst = appendJSONKey(appendComma(dst, &first), key)
		dst = appendJSON(append(dst, ':'), val)
	}
	return append(dst, '}')
}

// appendJSONKey appends a key as a string, whatever its class.
func appendJSONKey(dst []byte, key template.Value) []byte {
	at := len(dst)
	if dst = appendJSON(dst, key); dst[at] == '"' {
		return dst
	}
	bare := string(dst[at:]) // a number or a bool
	return append(append(append(dst[:at], '"'), bare...), '"')
}

// appendComma appends the comma before all elements but the first.
func appendComma(dst []byte, first *bool) []byte {
	if *first {
		*first = false
		return dst
	}
	return append(dst, ',')
}

// appendJSONText appends a JSON string, with characters replaced that a text cannot hold. Each backslash is doubled for
// COPY.
func appendJSONText(dst, s []byte) []byte {
	dst = append(dst, '"')
	for _, c := range clean(s) {
		switch {
		case c == '"':
			dst = append(dst, `\\"`...)
		case c == '\\':
			dst = append(dst, `\\\\`...)
		case c < ' ':
			dst = append(dst, `\\u00`...)
			dst = append(dst, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
