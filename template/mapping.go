package template

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"unsafe"
)

// mapping compiles maps; nil is null. Keys must be of ordered classes: others would not make good keys in JSON or SQL
// either.
func (cs compiler) mapping(c *coder) error {
	c.class = Map
	key, err := cs.coder(c.typ.Key())
	if err != nil {
		return err
	}
	if !key.class.Ordered() || key.typ.Kind() == reflect.Pointer {
		return fmt.Errorf("a map with keys of type %s cannot be stored", key.typ)
	}
	elem, err := cs.coder(c.typ.Elem())
	if err != nil {
		return err
	}
	c.append = func(dst []byte, p unsafe.Pointer, depth int) ([]byte, error) {
		m := reflect.NewAt(c.typ, p).Elem()
		if m.IsNil() {
			return dst, nil
		}
		return appendMap(dst, m, key, elem, depth)
	}
	c.decode = func(p unsafe.Pointer, v Value, depth int) error {
		if v.Class() != Map {
			return misfit(v, c.typ)
		}
		m := reflect.MakeMap(c.typ)
		reflect.NewAt(c.typ, p).Elem().Set(m)
		return decodeMap(m, v, key, elem, depth)
	}
	return nil
}

// pair is one encoded key and value, each with its length in front.
type pair struct {
	key  Value // without its length
	both []byte
}

func appendMap(dst []byte, m reflect.Value, key, elem *coder, depth int) ([]byte, error) {
	if depth >= maxDepth {
		return dst, errTooDeep
	}
	k, e := reflect.New(key.typ), reflect.New(elem.typ)
	pairs := make([]pair, 0, m.Len())
	for it := m.MapRange(); it.Next(); {
		k.Elem().SetIterKey(it)
		e.Elem().SetIterValue(it)
		both, err := key.appendSized(nil, k.UnsafePointer(), depth+1)
		if err != nil {
			return dst, err
		}
		name, _, _ := cut(both)
		if both, err = elem.appendSized(both, e.UnsafePointer(), depth+1); err != nil {
			return dst, err
		}
		pairs = append(pairs, pair{name, both})
	}
	return appendPairs(dst, pairs)
}

// appendPairs appends a map of pairs, which it sorts. Keys that differ in Go may still be equal values: two NaNs, or
// one instant in two locations.
func appendPairs(dst []byte, pairs []pair) ([]byte, error) {
	slices.SortFunc(pairs, func(a, b pair) int { return bytes.Compare(a.key, b.key) })
	dst = append(dst, tagMap)
	for i, p := range pairs {
		if i > 0 && bytes.Equal(pairs[i-1].key, p.key) {
			return dst, errors.New("two keys of a map are the same value")
		}
		dst = append(dst, p.both...)
	}
	return dst, nil
}

func decodeMap(m reflect.Value, v Value, key, elem *coder, depth int) error {
	if depth >= maxDepth {
		return errTooDeep
	}
	k, e := reflect.New(key.typ), reflect.New(elem.typ)
	for name, val := range v.Pairs() {
		if err := key.set(k.UnsafePointer(), name, depth+1); err != nil {
			return err
		}
		if err := elem.set(e.UnsafePointer(), val, depth+1); err != nil {
			return err
		}
		m.SetMapIndex(k.Elem(), e.Elem())
	}
	return nil
}
