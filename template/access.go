package template

import (
	"encoding/binary"
	"iter"
	"math"
	"time"
)

// Class returns the class of v by its tag: Int for every integer, Map for nested structs too. It returns 0 for null and
// for malformed bytes.
func (v Value) Class() Class {
	if len(v) == 0 {
		return 0
	}
	switch tag := v[0]; {
	case tag == tagFalse || tag == tagTrue:
		return Bool
	case tag >= tagInt-8 && tag <= tagInt+8:
		return Int
	case tag == tagFloat:
		return Float
	case tag == tagTime:
		return Time
	case tag == tagDuration:
		return Duration
	case tag == tagString:
		return String
	case tag == tagBytes:
		return Bytes
	case tag == tagList:
		return List
	case tag == tagMap:
		return Map
	}
	return 0
}

// Bool returns v as a bool; ok is false if v is not one.
func (v Value) Bool() (b, ok bool) {
	if len(v) != 1 {
		return false, false
	}
	return v[0] == tagTrue, v[0] == tagTrue || v[0] == tagFalse
}

// Int returns v as an int64; ok is false if v is not an integer or does not fit.
func (v Value) Int() (int64, bool) {
	m, negative, ok := v.magnitude()
	if negative {
		return -int64(m), ok && m <= 1<<63
	}
	return int64(m), ok && m <= math.MaxInt64
}

// Uint returns v as a uint64; ok is false if v is not an integer or is negative.
func (v Value) Uint() (uint64, bool) {
	m, negative, ok := v.magnitude()
	return m, ok && !negative
}

// magnitude returns the absolute value of an integer, and its sign.
func (v Value) magnitude() (m uint64, negative, ok bool) {
	if len(v) == 0 || v[0] < tagInt-8 || v[0] > tagInt+8 {
		return 0, false, false
	}
	n := int(v[0]) - tagInt
	flip := byte(0)
	if n < 0 {
		n, flip, negative = -n, 0xFF, true
	}
	if len(v) != 1+n {
		return 0, false, false
	}
	for _, b := range v[1:] {
		m = m<<8 | uint64(b^flip)
	}
	return m, negative, true
}

// Float returns v as a float64; ok is false if v is not a float. Integers are not converted.
func (v Value) Float() (float64, bool) {
	if len(v) != 9 || v[0] != tagFloat {
		return 0, false
	}
	u := binary.BigEndian.Uint64(v[1:])
	switch {
	case u == 0:
		return math.NaN(), true
	case u>>63 == 1:
		return math.Float64frombits(u &^ (1 << 63)), true
	}
	return math.Float64frombits(^u), true
}

// Time returns v as a time in UTC; ok is false if v is not a time.
func (v Value) Time() (time.Time, bool) {
	if len(v) != 13 || v[0] != tagTime {
		return time.Time{}, false
	}
	sec := int64(binary.BigEndian.Uint64(v[1:]) ^ 1<<63)
	return time.Unix(sec, int64(binary.BigEndian.Uint32(v[9:]))).UTC(), true
}

// Duration returns v as a duration; ok is false if v is not one.
func (v Value) Duration() (time.Duration, bool) {
	if len(v) != 9 || v[0] != tagDuration {
		return 0, false
	}
	return time.Duration(binary.BigEndian.Uint64(v[1:]) ^ 1<<63), true
}

// Text returns a copy of v as a string; ok is false if v is not a string.
func (v Value) Text() (string, bool) {
	if len(v) == 0 || v[0] != tagString {
		return "", false
	}
	return string(v[1:]), true
}

// Blob returns v as a byte string that aliases v; ok is false if v is not one.
func (v Value) Blob() ([]byte, bool) {
	if len(v) == 0 || v[0] != tagBytes {
		return nil, false
	}
	return v[1:], true
}

// Elements yields the elements of a list; nil is null. They alias v. It yields nothing if v is not a list.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if len(v) == 0 || v[0] != tagList {
			return
		}
		rest := []byte(v[1:])
		for len(rest) > 0 {
			elem, next, ok := cut(rest)
			if !ok || !yield(elem) {
				return
			}
			rest = next
		}
	}
}

// Pairs yields the keys and values of a map or nested struct in the order of the encoded keys; a nil value is null.
// They alias v. It yields nothing if v is not a map.
func (v Value) Pairs() iter.Seq2[Value, Value] {
	return func(yield func(Value, Value) bool) {
		if len(v) == 0 || v[0] != tagMap {
			return
		}
		rest := []byte(v[1:])
		for len(rest) > 0 {
			key, next, ok := cut(rest)
			if !ok {
				return
			}
			val, next, ok := cut(next)
			if !ok || !yield(key, val) {
				return
			}
			rest = next
		}
	}
}
