package template

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unsafe"
)

// member is one stored field of a Go struct: its own or promoted from an embedded struct.
type member struct {
	Field
	offset uintptr
	coder  *coder
}

// layout lists the stored fields of a Go struct.
type layout struct {
	members  []member
	embedded []reflect.Type
}

// layout returns the stored fields of t, those of embedded structs first.
func (cs compiler) layout(t reflect.Type) (*layout, error) {
	l := &layout{}
	for f := range t.Fields() {
		if err := cs.embed(l, f); err != nil {
			return nil, inField(f.Name, t, err)
		}
	}
	for f := range t.Fields() {
		if err := cs.member(l, f); err != nil {
			return nil, inField(f.Name, t, err)
		}
	}
	for i, m := range l.members {
		if slices.ContainsFunc(l.members[:i], func(o member) bool { return o.Name == m.Name }) {
			return nil, fmt.Errorf("%s has two fields stored as %q", t, m.Name)
		}
	}
	return l, nil
}

// isEmbedded reports whether f is an embedded struct whose fields are promoted. One with a name in its tag is an
// ordinary field, as in encoding/json.
func isEmbedded(f reflect.StructField, tg tag) bool {
	return f.Anonymous && tg.name == "" && !tg.skip && f.Type.Kind() == reflect.Struct && !isTime(f.Type)
}

// embed adds the fields of f if it is an embedded struct.
func (cs compiler) embed(l *layout, f reflect.StructField) error {
	tg, err := parseTag(f)
	if err != nil || !isEmbedded(f, tg) {
		return err
	}
	if tg.role != 0 {
		return fmt.Errorf("an embedded struct has no role")
	}
	inner, err := cs.layout(f.Type)
	if err != nil {
		return err
	}
	l.embedded = append(l.embedded, f.Type)
	for _, m := range inner.members {
		m.offset += f.Offset
		l.members = append(l.members, m)
	}
	return nil
}

// member adds f if it is an ordinary stored field.
func (cs compiler) member(l *layout, f reflect.StructField) error {
	tg, err := parseTag(f)
	if err != nil || tg.skip || isEmbedded(f, tg) {
		return err
	}
	if f.Anonymous && tg.name == "" && f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct {
		return fmt.Errorf("a struct embedded by pointer cannot be stored; embed %s itself, or give the field a name",
			f.Type.Elem())
	}
	if !f.IsExported() {
		if tg != (tag{}) {
			return fmt.Errorf("an unexported field cannot be stored")
		}
		return nil
	}
	c, err := cs.coder(f.Type)
	if err != nil {
		return err
	}
	name := cmp.Or(tg.name, snakeCase(f.Name))
	l.members = append(l.members, member{Field{name, c.class, tg.role}, f.Offset, c})
	return nil
}

// nested compiles a struct that is a field of another struct, or an element of a list or map.
func (cs compiler) nested(c *coder) error {
	c.class = Struct
	l, err := cs.layout(c.typ)
	if err != nil {
		return err
	}
	if len(l.members) == 0 && c.typ.NumField() > 0 {
		return fmt.Errorf("%s has no field that could be stored", c.typ)
	}
	slices.SortFunc(l.members, func(a, b member) int { return strings.Compare(a.Name, b.Name) })
	c.layout = l
	c.append = func(dst []byte, p unsafe.Pointer, depth int) ([]byte, error) {
		return l.append(dst, p, depth)
	}
	c.decode = func(p unsafe.Pointer, v Value, depth int) error {
		if v.Class() != Map {
			return misfit(v, c.typ)
		}
		return l.decode(p, v, depth)
	}
	return nil
}

// append appends the members, which are sorted by name, as a map without nulls.
func (l *layout) append(dst []byte, p unsafe.Pointer, depth int) ([]byte, error) {
	if depth >= maxDepth {
		return dst, errTooDeep
	}
	dst = append(dst, tagMap)
	for i := range l.members {
		m := &l.members[i]
		key := len(dst)
		dst = fixSize(AppendString(append(dst, 0), m.Name), key)
		val := len(dst)
		var err error
		if dst, err = m.coder.appendSized(dst, unsafe.Add(p, m.offset), depth+1); err != nil {
			return dst, inside(m.Name, err)
		}
		if len(dst) == val+1 {
			dst = dst[:key] // null
		}
	}
	return dst, nil
}

// decode sets the members; those that v lacks become zero. Like rows, it ignores fields of v that have no member.
func (l *layout) decode(p unsafe.Pointer, v Value, depth int) error {
	if depth >= maxDepth {
		return errTooDeep
	}
	for i := range l.members {
		m := &l.members[i]
		_ = m.coder.set(unsafe.Add(p, m.offset), nil, depth) // null always fits
	}
	for key, val := range v.Pairs() {
		name, _ := key.Text()
		i, ok := slices.BinarySearchFunc(l.members, name,
			func(m member, name string) int { return strings.Compare(m.Name, name) })
		if !ok {
			continue
		}
		m := &l.members[i]
		if err := m.coder.set(unsafe.Add(p, m.offset), val, depth+1); err != nil {
			return inside(name, err)
		}
	}
	return nil
}
