package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// Decoder takes values off the front of a body. After the last value, Err reports whether all of them were present;
// missing values read as zero.
type Decoder struct {
	b   []byte
	bad bool
	why error // what was wrong, if there is more to say
}

// NewDecoder returns a Decoder of body; decoded values alias body.
func NewDecoder(body []byte) Decoder { return Decoder{b: body} }

// Err returns ErrMalformed if a value was missing or bytes remain.
func (d *Decoder) Err() error {
	if d.why != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, d.why)
	}
	if d.bad {
		return fmt.Errorf("%w: body ends too early or is out of bounds", ErrMalformed)
	}
	if len(d.b) > 0 {
		return fmt.Errorf("%w: %d bytes left over in body", ErrMalformed, len(d.b))
	}
	return nil
}

// More reports whether bytes remain.
func (d *Decoder) More() bool { return len(d.b) > 0 }

// Ok reports whether all values so far were present.
func (d *Decoder) Ok() bool { return !d.bad }

// Fail makes Err return ErrMalformed, because a decoded value is invalid.
func (d *Decoder) Fail() { d.fail() }

// Byte decodes one byte.
func (d *Decoder) Byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

// Uvarint decodes an unsigned integer.
func (d *Decoder) Uvarint() uint64 {
	v, n := uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// Uint32 decodes an unsigned integer of at most 32 bits.
func (d *Decoder) Uint32() uint32 {
	v := d.Uvarint()
	if v > math.MaxUint32 {
		d.fail()
		return 0
	}
	return uint32(v)
}

// Len decodes a count, at most limit.
func (d *Decoder) Len(limit int) int {
	v := d.Uvarint()
	if v > uint64(limit) {
		d.fail()
		return 0
	}
	return int(v)
}

// Bytes decodes a byte string that is preceded by its length.
func (d *Decoder) Bytes() []byte {
	n := d.Uvarint()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}

// Rest returns the remaining bytes.
func (d *Decoder) Rest() []byte {
	b := d.b
	d.b = nil
	return b
}

// Lease decodes a lease of AppendLease; it is never negative.
func (d *Decoder) Lease() int64 {
	v := d.Uvarint()
	if v == 0 {
		return math.MaxInt64
	}
	if v > math.MaxInt64 {
		d.fail()
		return 0
	}
	return int64(v - 1)
}

// Duration decodes a duration; it is never negative.
func (d *Decoder) Duration() time.Duration {
	v := d.Uvarint()
	if v > math.MaxInt64 {
		d.fail()
		return 0
	}
	return time.Duration(v)
}

// fail makes all further values read as zero, so that loops over the rest end.
func (d *Decoder) fail() { d.b, d.bad = nil, true }

// AppendLease appends a lease in nanoseconds, which is not negative. A lease without end takes one byte.
func AppendLease(dst []byte, ns int64) []byte {
	if ns == math.MaxInt64 {
		return append(dst, 0)
	}
	return binary.AppendUvarint(dst, uint64(ns)+1)
}

// AppendBytes appends b preceded by its length.
func AppendBytes[T ~[]byte | ~string](dst []byte, b T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}
