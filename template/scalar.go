package template

import (
	"fmt"
	"math"
	"reflect"
	"time"
	"unsafe"
)

// scalar compiles the types that hold one number, string or bool.
func (c *coder) scalar() error {
	switch c.typ.Kind() {
	case reflect.Bool:
		c.bool()
	case reflect.Int:
		signed[int](c)
	case reflect.Int8:
		signed[int8](c)
	case reflect.Int16:
		signed[int16](c)
	case reflect.Int32:
		signed[int32](c)
	case reflect.Int64:
		if c.typ == durationType {
			c.duration()
		} else {
			signed[int64](c)
		}
	case reflect.Uint:
		unsigned[uint](c)
	case reflect.Uint8:
		unsigned[uint8](c)
	case reflect.Uint16:
		unsigned[uint16](c)
	case reflect.Uint32:
		unsigned[uint32](c)
	case reflect.Uint64:
		unsigned[uint64](c)
	case reflect.Float32:
		c.float32()
	case reflect.Float64:
		c.float64()
	case reflect.String:
		c.string()
	default:
		return fmt.Errorf("%s values cannot be stored", c.typ.Kind())
	}
	return nil
}

func (c *coder) bool() {
	c.class = Bool
	c.append = func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) { return AppendBool(dst, *(*bool)(p)), nil }
	c.decode = func(p unsafe.Pointer, v Value, _ int) error {
		b, ok := v.Bool()
		if !ok {
			return misfit(v, c.typ)
		}
		*(*bool)(p) = b
		return nil
	}
}

func signed[T int | int8 | int16 | int32 | int64](c *coder) {
	c.class = Int
	c.append = func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) { return AppendInt(dst, int64(*(*T)(p))), nil }
	c.decode = func(p unsafe.Pointer, v Value, _ int) error {
		i, ok := v.Int()
		if !ok || int64(T(i)) != i {
			return misfit(v, c.typ)
		}
		*(*T)(p) = T(i)
		return nil
	}
}

func unsigned[T uint | uint8 | uint16 | uint32 | uint64](c *coder) {
	c.class = Uint
	c.append = func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
		return AppendUint(dst, uint64(*(*T)(p))), nil
	}
	c.decode = func(p unsafe.Pointer, v Value, _ int) error {
		u, ok := v.Uint()
		if !ok || uint64(T(u)) != u {
			return misfit(v, c.typ)
		}
		*(*T)(p) = T(u)
		return nil
	}
}

// float64 compiles float64. It also decodes integers that a float64 holds exactly: inside lists and maps no class tells
// floats from integers, and JSON writes 1.0 as 1.
func (c *coder) float64() {
	c.class = Float
	c.append = func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
		return AppendFloat(dst, *(*float64)(p)), nil
	}
	c.decode = func(p unsafe.Pointer, v Value, _ int) error {
		f, ok := v.number()
		if !ok {
			return misfit(v, c.typ)
		}
		*(*float64)(p) = f
		return nil
	}
}

// float32 compiles float32. It rounds what it decodes, as Go's own conversion does; only values out of range do not
// fit.
func (c *coder) float32() {
	c.class = Float
	c.append = func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
		return AppendFloat(dst, float64(*(*float32)(p))), nil
	}
	c.decode = func(p unsafe.Pointer, v Value, _ int) error {
		f, ok := v.number()
		if !ok || math.IsInf(float64(float32(f)), 0) && !math.IsInf(f, 0) {
			return misfit(v, c.typ)
		}
		*(*float32)(p) = float32(f)
		return nil
	}
}

// number returns a float, or an integer that a float64 holds exactly.
func (v Value) number() (float64, bool) {
	if f, ok := v.Float(); ok {
		return f, true
	}
	m, negative, ok := v.magnitude()
	f, exact := exactFloat(m)
	if negative {
		f = -f
	}
	return f, ok && exact
}

// exactFloat returns u as a float64, and whether the conversion is exact.
func exactFloat(u uint64) (float64, bool) {
	f := float64(u)
	return f, f < 1<<64 && uint64(f) == u
}

func (c *coder) string() {
	c.class = String
	c.append = func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
		return AppendString(dst, *(*string)(p)), nil
	}
	c.decode = func(p unsafe.Pointer, v Value, _ int) error {
		s, ok := v.Text()
		if !ok {
			return misfit(v, c.typ)
		}
		*(*string)(p) = s
		return nil
	}
}

func (c *coder) time() {
	c.class = Time
	c.append = func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
		return AppendTime(dst, *(*time.Time)(p)), nil
	}
	c.decode = func(p unsafe.Pointer, v Value, _ int) error {
		t, ok := v.Time()
		if !ok {
			return misfit(v, c.typ)
		}
		*(*time.Time)(p) = t
		return nil
	}
}

func (c *coder) duration() {
	c.class = Duration
	c.append = func(dst []byte, p unsafe.Pointer, _ int) ([]byte, error) {
		return AppendDuration(dst, *(*time.Duration)(p)), nil
	}
	c.decode = func(p unsafe.Pointer, v Value, _ int) error {
		d, ok := v.Duration()
		if !ok {
			return misfit(v, c.typ)
		}
		*(*time.Duration)(p) = d
		return nil
	}
}
