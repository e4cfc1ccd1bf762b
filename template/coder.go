package template

import (
	"errors"
	"fmt"
	"reflect"
	"time"
	"unsafe"
)

// coder encodes and decodes the values of one Go type, given their address. It is compiled once per type, so rows are
// encoded without reflection, except for maps and allocation.
type coder struct {
	typ    reflect.Type
	class  Class
	elem   *coder  // of a pointer
	layout *layout // of a nested struct

	// append appends the Value at p, and nothing for null.
	append func(dst []byte, p unsafe.Pointer, depth int) ([]byte, error)
	// decode sets the value at p from v, which is not null; the result shares nothing with v.
	decode func(p unsafe.Pointer, v Value, depth int) error
}

var errTooDeep = fmt.Errorf("nested deeper than %d levels", maxDepth)

// set sets the value at p from v; null is the zero value.
func (c *coder) set(p unsafe.Pointer, v Value, depth int) error {
	if v == nil {
		reflect.NewAt(c.typ, p).Elem().SetZero()
		return nil
	}
	return c.decode(p, v, depth)
}

// compiler compiles types to coders. It records each coder before it is complete, so that recursive types terminate.
type compiler map[reflect.Type]*coder

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
)

// isTime reports whether t is time.Time or a type defined from it.
func isTime(t reflect.Type) bool { return t.Kind() == reflect.Struct && t.ConvertibleTo(timeType) }

// coder returns the coder of t, or an error that says which part of t cannot be stored.
func (cs compiler) coder(t reflect.Type) (*coder, error) {
	if c := cs[t]; c != nil {
		return c, nil
	}
	c := &coder{typ: t}
	cs[t] = c
	return c, cs.compile(c)
}

func (cs compiler) compile(c *coder) error {
	switch t := c.typ; t.Kind() {
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			c.bytes()
			return nil
		}
		return cs.list(c)
	case reflect.Map:
		return cs.mapping(c)
	case reflect.Pointer:
		return cs.pointer(c)
	case reflect.Struct:
		if isTime(t) {
			c.time()
			return nil
		}
		return cs.nested(c)
	default:
		return c.scalar()
	}
}

// pointer compiles a pointer: nil is null, otherwise the value is that of its target. A pointer to a pointer is
// refused, since it has two ways to be null.
func (cs compiler) pointer(c *coder) error {
	if c.typ.Elem().Kind() == reflect.Pointer {
		return errors.New("a pointer to a pointer cannot be stored")
	}
	elem, err := cs.coder(c.typ.Elem())
	if err != nil {
		return err
	}
	c.elem = elem
	c.class = elem.class // set even while elem is still being compiled: every type but a pointer sets its class first
	c.append = func(dst []byte, p unsafe.Pointer, depth int) ([]byte, error) {
		if p = *(*unsafe.Pointer)(p); p == nil {
			return dst, nil
		}
		return elem.append(dst, p, depth)
	}
	c.decode = func(p unsafe.Pointer, v Value, depth int) error {
		to := reflect.New(elem.typ).UnsafePointer()
		*(*unsafe.Pointer)(p) = to
		return elem.decode(to, v, depth)
	}
	return nil
}

// misfit returns the error for a v that does not fit a t.
func misfit(v Value, t reflect.Type) error {
	const show = 64 // enough to recognise a value
	text := v.String()
	if len(text) > show {
		text = text[:show] + "…"
	}
	return fmt.Errorf("%s %s does not fit %s", v.Class(), text, t)
}
