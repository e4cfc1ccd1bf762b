package record

import (
	"encoding/binary"
	"math"
)

// appendExpires appends an expiry: one zero byte for never, the usual case; otherwise a one and 8 bytes.
func appendExpires(dst []byte, t int64) []byte {
	if t == math.MaxInt64 {
		return append(dst, 0)
	}
	return binary.LittleEndian.AppendUint64(append(dst, 1), uint64(t))
}

func appendBody(dst, body []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(body))), body...)
}

// decoder takes values off the front of b and records whether one was missing.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) uint32() uint32 {
	v := d.uvarint()
	d.bad = d.bad || v > math.MaxUint32
	return uint32(v)
}

func (d *decoder) expires() int64 {
	switch d.byte() {
	case 0:
		return math.MaxInt64
	case 1:
		if len(d.b) >= 8 {
			t := int64(binary.LittleEndian.Uint64(d.b))
			d.b = d.b[8:]
			return t
		}
	}
	d.bad = true
	return 0
}

// time decodes a point in time, not negative.
func (d *decoder) time() int64 {
	v := d.uvarint()
	d.bad = d.bad || v > math.MaxInt64
	return int64(v)
}

func (d *decoder) body() []byte {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	body := d.b[:n:n]
	d.b = d.b[n:]
	return body
}
