package template

import (
	"encoding/binary"
	"unsafe"
)

// Rows, lists and maps hold their values length-prefixed: the length as a uvarint, then the bytes; length 0 is null.

// cut takes one length-prefixed value off the front of b; a nil value is null. It reports false if b does not begin
// with one.
func cut(b []byte) (v Value, rest []byte, ok bool) {
	n, w := uvarint(b)
	if w <= 0 || uint64(len(b)-w) < n {
		return nil, nil, false
	}
	if n > 0 {
		v = Value(b[w : w+int(n) : w+int(n)])
	}
	return v, b[w+int(n):], true
}

// cutCanonical is cut that also refuses a length that could be written shorter.
func cutCanonical(b []byte) (v Value, rest []byte, ok bool) {
	if len(b) > 0 && b[0] >= 0x80 {
		if _, w := binary.Uvarint(b); w <= 0 || b[w-1] == 0 {
			return nil, nil, false
		}
	}
	return cut(b)
}

// appendSized appends the value at p with its length in front.
func (c *coder) appendSized(dst []byte, p unsafe.Pointer, depth int) ([]byte, error) {
	at := len(dst)
	dst, err := c.append(append(dst, 0), p, depth)
	if err != nil {
		return dst[:at], err
	}
	return fixSize(dst, at), nil
}

// fixSize writes the length of the value that begins at dst[at+1] and ends dst; one byte was left for it at dst[at].
// Nearly every value is shorter than 128 bytes, so moving the longer ones is cheaper than measuring all of them
// beforehand.
func fixSize(dst []byte, at int) []byte {
	n := len(dst) - at - 1
	if n < 0x80 {
		dst[at] = byte(n)
		return dst
	}
	var size [binary.MaxVarintLen64]byte
	w := binary.PutUvarint(size[:], uint64(n))
	dst = append(dst, size[:w-1]...)
	copy(dst[at+w:], dst[at+1:at+1+n])
	copy(dst[at:], size[:w])
	return dst
}

// uvarint is binary.Uvarint with a fast path for one-byte lengths, which nearly all fields have.
func uvarint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return binary.Uvarint(b)
}

// EndSized completes a length-prefixed value, the form that fields have in a row: dst[at] was left for the length, and
// the value was appended after it.
func EndSized(dst []byte, at int) []byte { return fixSize(dst, at) }
