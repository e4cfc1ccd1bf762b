package template

import (
	"encoding/binary"
	"math"
	"math/bits"
	"time"
)

// Value is the canonical encoding of one field value; a nil Value is null.
//
// With this encoding the engine never decodes values: two values of one class family are equal exactly if their bytes
// are equal, and for ordered classes bytes.Compare is their order. The first byte is a tag:
//
//	0x02 0x03        false, true
//	0x10 … 0x20      integers: 0x18 is zero, 0x18+n a positive one of n big-endian bytes,
//	                 0x18-n a negative one of n bytes, holding the complement of its magnitude
//	0x28             floats: 8 big-endian bytes, sign bit flipped (all bits for negative ones);
//	                 -0 is stored as 0, every NaN as one NaN, below all numbers
//	0x30             times: seconds since the Unix epoch as 8 bytes with the sign bit flipped,
//	                 then 4 bytes of nanoseconds
//	0x31             durations: nanoseconds as 8 bytes with the sign bit flipped
//	0x40 0x41        strings, byte strings: the bytes as they are
//	0x50             lists: each element as its length (uvarint) and its Value; length 0 is null
//	0x51             maps and nested structs: pairs of length-prefixed Values, sorted by the key's bytes, no key twice;
//	                 keys are of ordered classes; a nested struct has string keys and leaves out null fields
type Value []byte

// Tags of the canonical encoding.
const (
	tagFalse    = 0x02
	tagTrue     = 0x03
	tagInt      = 0x18 // zero; a non-zero integer adds or subtracts 1 to 8
	tagFloat    = 0x28
	tagTime     = 0x30
	tagDuration = 0x31
	tagString   = 0x40
	tagBytes    = 0x41
	tagList     = 0x50
	tagMap      = 0x51
)

// AppendBool appends the encoding of b to dst and returns the result.
func AppendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, tagTrue)
	}
	return append(dst, tagFalse)
}

// AppendUint appends the encoding of u.
func AppendUint(dst []byte, u uint64) []byte {
	n := (bits.Len64(u) + 7) / 8
	dst = append(dst, byte(tagInt+n))
	for i := n - 1; i >= 0; i-- {
		dst = append(dst, byte(u>>(8*i)))
	}
	return dst
}

// AppendInt appends the encoding of i: the same bytes as AppendUint for values in both ranges.
func AppendInt(dst []byte, i int64) []byte {
	if i >= 0 {
		return AppendUint(dst, uint64(i))
	}
	m := -uint64(i) // the magnitude, right for math.MinInt64 too
	n := (bits.Len64(m) + 7) / 8
	dst = append(dst, byte(tagInt-n))
	for k := n - 1; k >= 0; k-- {
		dst = append(dst, ^byte(m>>(8*k)))
	}
	return dst
}

// AppendFloat appends the encoding of f. Negative zero becomes zero and every NaN the same NaN.
func AppendFloat(dst []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, tagFloat), floatKey(f))
}

// floatKey maps floats to integers in the same order.
func floatKey(f float64) uint64 {
	switch u := math.Float64bits(f); {
	case f == 0:
		return 1 << 63
	case f > 0:
		return u | 1<<63
	case f < 0:
		return ^u
	}
	return 0 // NaN, below the key of -Inf
}

// AppendTime appends the encoding of t as an instant; its location and monotonic reading are dropped.
func AppendTime(dst []byte, t time.Time) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, tagTime), uint64(t.Unix())^1<<63)
	return binary.BigEndian.AppendUint32(dst, uint32(t.Nanosecond()))
}

// AppendDuration appends the encoding of d.
func AppendDuration(dst []byte, d time.Duration) []byte {
	return binary.BigEndian.AppendUint64(append(dst, tagDuration), uint64(d)^1<<63)
}

// AppendString appends the encoding of s.
func AppendString(dst []byte, s string) []byte { return append(append(dst, tagString), s...) }

// AppendBytes appends the encoding of b.
func AppendBytes(dst []byte, b []byte) []byte { return append(append(dst, tagBytes), b...) }
