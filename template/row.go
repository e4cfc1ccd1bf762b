package template

import "iter"

// Row holds an entry's fields in the order of its kind's schema: for each field the length as a uvarint, then its
// Value; length 0 is null. Null fields at the end are left out, so a schema grows without touching stored rows, and
// equal entries have equal rows.
type Row []byte

// Field returns the value of field i, or nil if it is null. The value aliases r. It returns nil for a malformed row;
// check rows from outside with Check first.
func (r Row) Field(i int) Value {
	for ; i > 0; i-- {
		n, w := uvarint(r)
		if w <= 0 || uint64(len(r)-w) < n {
			return nil
		}
		r = r[w+int(n):]
	}
	v, _, _ := cut(r)
	return v
}

// Fields yields the position and value of every field in r, nulls included. The values alias r. It stops early in a
// malformed row; check rows from outside with Check first.
func (r Row) Fields() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		rest := []byte(r)
		for i := 0; len(rest) > 0; i++ {
			v, next, ok := cut(rest)
			if !ok || !yield(i, v) {
				return
			}
			rest = next
		}
	}
}
