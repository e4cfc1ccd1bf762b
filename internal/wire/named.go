package wire

import (
	"encoding/binary"
	"fmt"
)

// The two sides of a handshake send pairs of a name and a value. A name that occurs several times is a list; an unknown
// name is ignored, so that a handshake can be extended. A length that is only announced causes no allocation.

// appendNamed appends a pair, unless the value is empty: a missing name means an empty value.
func appendNamed[T ~[]byte | ~string](dst []byte, name string, value T) []byte {
	if len(value) == 0 {
		return dst
	}
	return AppendBytes(AppendBytes(dst, name), value)
}

// appendNumber appends a pair whose value is a number.
func appendNumber(dst []byte, name string, value uint64) []byte {
	if value == 0 {
		return dst
	}
	var b [binary.MaxVarintLen64]byte
	return appendNamed(dst, name, binary.AppendUvarint(b[:0], value))
}

// decodeNamed calls set with each pair of b. It returns ErrMalformed for other bytes, and for a value that set rejects.
func decodeNamed(b []byte, set func(name string, value []byte) bool) error {
	d := NewDecoder(b)
	for d.More() {
		name, value := d.Bytes(), d.Bytes()
		if d.Ok() && !set(string(name), value) {
			return fmt.Errorf("%w: bad value of %.40q", ErrMalformed, name)
		}
	}
	return d.Err()
}

// decodeNumber sets to from the value of a pair, a number of at most limit.
func decodeNumber[T ~int | ~int64 | ~uint64](to *T, value []byte, limit T) bool {
	v, n := binary.Uvarint(value)
	*to = T(v)
	return n == len(value) && v <= uint64(limit)
}
