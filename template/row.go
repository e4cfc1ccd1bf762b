package template

import (
	"encoding/binary"
	"iter"
)

// Row is an entry's fields in the order of its kind's schema: of each field the length as a uvarint, then its Value;
// length 0 is null. Null fields at the end are left out, so a schema grows without touching stored rows and equal
// entries have equal rows.
type Row []byte

// Field returns the value of field i, or nil if it is null. The value aliases r.
// A malformed row yields nil; rows from outside pass Check first.
func (r Row) Field(i int) Value {
	for ; i > 0; i-- {
		n, w := uvarint(r)
		if w <= 0 || uint64(len(r)-w) < n {
			return nil
		}
		r = r[w+int(n):]
	}
	n, w := uvarint(r)
	if w <= 0 || n == 0 || uint64(len(r)-w) < n {
		return nil
	}
	return Value(r[w : w+int(n) : w+int(n)])
}

// Fields yields the position and value of every field that r holds, nulls included. The values alias r.
func (r Row) Fields() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		for i := 0; len(r) > 0; i++ {
			n, w := uvarint(r)
			if w <= 0 || uint64(len(r)-w) < n {
				return
			}
			var v Value
			if n > 0 {
				v = Value(r[w : w+int(n) : w+int(n)])
			}
			r = r[w+int(n):]
			if !yield(i, v) {
				return
			}
		}
	}
}

// uvarint is binary.Uvarint with a short way for the one-byte lengths that nearly all fields have.
func uvarint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return binary.Uvarint(b)
}
