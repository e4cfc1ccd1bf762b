package template

import "encoding/binary"

// reader takes parts off the front of b and records whether any part was missing or out of bounds.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

// count reads a number that is at most limit. The limit prevents a hostile count from causing a large allocation.
func (r *reader) count(limit int) int {
	n, w := uvarint(r.b)
	if w <= 0 || n > uint64(limit) || w > 1 && r.b[w-1] == 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[w:]
	return int(n)
}

// bytes reads a length-prefixed value; the result aliases b.
func (r *reader) bytes() []byte {
	v, rest, ok := cutCanonical(r.b)
	if !ok {
		r.bad = true
		return nil
	}
	r.b = rest
	return v
}

func (r *reader) string() string { return string(r.bytes()) }

func appendPrefixed[T ~[]byte | ~string](dst []byte, v T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(v))), v...)
}
