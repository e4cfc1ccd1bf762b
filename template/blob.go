package template

import (
	"bytes"
	"reflect"
	"unsafe"
)

// bytes compiles []byte, where nil is null, and [n]byte, which holds exactly n.
func (c *coder) bytes() {
	c.class = Bytes
	if c.typ.Kind() == reflect.Array {
		c.byteArray()
		return
	}
	c.append = func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
		if b := *(*[]byte)(p); b != nil {
			return AppendBytes(dst, b), nil
		}
		return dst, nil
	}
	c.decode = func(p unsafe.Pointer, v Value, _ int) error {
		b, ok := v.Blob()
		if !ok {
			return misfit(v, c.typ)
		}
		*(*[]byte)(p) = bytes.Clone(b)
		return nil
	}
}

func (c *coder) byteArray() {
	n := c.typ.Len()
	c.append = func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
		return AppendBytes(dst, unsafe.Slice((*byte)(p), n)), nil
	}
	c.decode = func(p unsafe.Pointer, v Value, _ int) error {
		b, ok := v.Blob()
		if !ok || len(b) != n {
			return misfit(v, c.typ)
		}
		copy(unsafe.Slice((*byte)(p), n), b)
		return nil
	}
}
