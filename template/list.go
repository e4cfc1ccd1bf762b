package template

import (
	"reflect"
	"unsafe"
)

// list compiles slices, where nil is null, and arrays, which hold exactly as many elements as they are long.
func (cs compiler) list(c *coder) error {
	c.class = List
	elem, err := cs.coder(c.typ.Elem())
	if err != nil {
		return err
	}
	if c.typ.Kind() == reflect.Array {
		c.array(elem)
		return nil
	}
	c.append = func(dst []byte, p unsafe.Pointer, depth int) ([]byte, error) {
		s := reflect.NewAt(c.typ, p).Elem()
		if s.IsNil() {
			return dst, nil
		}
		return elem.appendList(dst, s.UnsafePointer(), s.Len(), depth)
	}
	c.decode = func(p unsafe.Pointer, v Value, depth int) error {
		if v.Class() != List {
			return misfit(v, c.typ)
		}
		n := v.count()
		s := reflect.MakeSlice(c.typ, n, n)
		reflect.NewAt(c.typ, p).Elem().Set(s)
		return elem.decodeList(s.UnsafePointer(), v, depth)
	}
	return nil
}

func (c *coder) array(elem *coder) {
	n := c.typ.Len()
	c.append = func(dst []byte, p unsafe.Pointer, depth int) ([]byte, error) {
		return elem.appendList(dst, p, n, depth)
	}
	c.decode = func(p unsafe.Pointer, v Value, depth int) error {
		if v.Class() != List || v.count() != n {
			return misfit(v, c.typ)
		}
		return elem.decodeList(p, v, depth)
	}
}

// count returns the number of elements of a list.
func (v Value) count() int {
	n := 0
	for range v.Elements() {
		n++
	}
	return n
}

// appendList appends n consecutive elements, the first at p.
func (c *coder) appendList(dst []byte, p unsafe.Pointer, n, depth int) ([]byte, error) {
	if depth >= maxDepth {
		return dst, errTooDeep
	}
	dst = append(dst, tagList)
	var err error
	for i := range n {
		if dst, err = c.appendSized(dst, unsafe.Add(p, uintptr(i)*c.typ.Size()), depth+1); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// decodeList sets consecutive elements, the first at p; there is room for all of them.
func (c *coder) decodeList(p unsafe.Pointer, v Value, depth int) error {
	if depth >= maxDepth {
		return errTooDeep
	}
	i := uintptr(0)
	for e := range v.Elements() {
		if err := c.set(unsafe.Add(p, i*c.typ.Size()), e, depth+1); err != nil {
			return err
		}
		i++
	}
	return nil
}
