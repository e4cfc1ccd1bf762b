// Package codec translates between Go types and the rows of a space.
//
// It is for implementations of space.Space, which keep a Cache each and return it from Codecs. Programs that use spaces
// need nothing of it.
package codec

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
)

// Cache holds the Go types that the callers of one space use: each is compiled once and, when the first value of it is
// written, its kind registered with the space. Its zero value is ready. Its methods may be called concurrently; finding
// a known type takes no lock.
type Cache struct {
	types sync.Map // from reflect.Type to *Codec
}

// Registrar is the part of space.Space that makes kinds known.
type Registrar interface {
	Register(ctx context.Context, s *template.Schema) (*template.Schema, error)
}

// For returns the codec of t, a struct type or a pointer to one, for writing: the first call for a type registers its
// kind with sp, after the kinds that it embeds. It returns space.ErrInvalidArgument for a type that cannot be stored,
// space.ErrSchemaConflict if the space knows the kind with other types of fields, or the error of Register; later calls
// then try again.
func (cs *Cache) For(ctx context.Context, sp Registrar, t reflect.Type) (*Codec, error) {
	c, err := cs.Of(t)
	if err == nil && c.writer.Load() == nil {
		err = c.Register(ctx, sp)
	}
	return c, err
}

// Of returns the codec of t for reading, which asks nothing of the space.
func (cs *Cache) Of(t reflect.Type) (*Codec, error) {
	if c, ok := cs.types.Load(t); ok {
		return c.(*Codec), nil
	}
	c, err := compile(t)
	if err != nil {
		return nil, err
	}
	known, _ := cs.types.LoadOrStore(t, c)
	return known.(*Codec), nil
}

// detached remembers what compile returns, for entries that come without their space. It is no state: nothing depends
// on what is in it.
var detached Cache

// Of returns the codec of t for decoding entries of any space.
func Of(t reflect.Type) (*Codec, error) { return detached.Of(t) }

// Codec translates between one Go type and the rows of one space. Its methods may be called concurrently.
type Codec struct {
	goType  reflect.Type    // the struct
	pointer bool            // values are pointers to it
	own     *template.Codec // in the order of the type's own schema, in which templates are made
	strict  bool            // an entry must have no values that the type lacks fields for

	// writer is bound to the schema that the space has for the type's kind; nil if that was not registered.
	writer atomic.Pointer[template.Codec]
	bound  sync.Map // by kind: *binding, for the rows of entries
}

// binding is the codec for rows of one schema.
type binding struct {
	schema *template.Schema
	codec  *template.Codec
}

// compile returns a codec that is not bound to any space's schemas.
func compile(t reflect.Type) (*Codec, error) {
	c := &Codec{goType: t}
	if t.Kind() == reflect.Pointer {
		c.goType, c.pointer = t.Elem(), true
	}
	var err error
	if c.own, err = template.Compile(c.goType); err != nil {
		return nil, fmt.Errorf("%w: %w", call.ErrInvalidArgument, err)
	}
	return c, nil
}

// Register makes the type's kind and those it embeds known to sp, and binds c to what the space has for it.
func (c *Codec) Register(ctx context.Context, sp Registrar) error {
	for _, super := range c.own.Supers() {
		if _, err := sp.Register(ctx, super); err != nil {
			return fmt.Errorf("register %v: %w", c.goType, err)
		}
	}
	s, err := sp.Register(ctx, c.own.Schema())
	if err != nil {
		return fmt.Errorf("register %v: %w", c.goType, err)
	}
	w, err := c.own.Bind(s)
	if err == nil {
		c.writer.Store(w)
	}
	return err
}

// Outdated reports whether a write failed with err because the kind got another schema after it had been registered for
// the type, or was dropped; it does so once, and sets again. For registers the kind anew then.
func (c *Codec) Outdated(err error, again *bool) bool {
	if *again || !errors.Is(err, template.ErrSchemaConflict) && !errors.Is(err, call.ErrUnknownKind) {
		return false
	}
	*again = true
	c.writer.Store(nil)
	return true
}

// Kind returns the name of the type's kind.
func (c *Codec) Kind() string { return c.own.Schema().Kind }

// Own returns the schema of the type itself, in whose order Conds and AppendOwn are.
func (c *Codec) Own() *template.Schema { return c.own.Schema() }

// Type returns the struct type.
func (c *Codec) Type() reflect.Type { return c.goType }

// Strict returns a codec that decodes as c does, but refuses an entry with a value in a field that the type lacks.
func (c *Codec) Strict() *Codec {
	return &Codec{goType: c.goType, pointer: c.pointer, own: c.own, strict: true}
}

// Schema returns the schema of the type's kind, in the order of the rows that AppendRow makes: that of the space, if
// For has returned the codec.
func (c *Codec) Schema() *template.Schema { return c.writing().Schema() }

// writing returns the codec for rows to be written.
func (c *Codec) writing() *template.Codec {
	if w := c.writer.Load(); w != nil {
		return w
	}
	return c.own
}

// AppendRow appends the row of v, a value of the codec's type or a pointer to one. It returns space.ErrInvalidArgument
// for a value that cannot be stored.
func (c *Codec) AppendRow(dst template.Row, v any) (template.Row, error) {
	row, _, err := c.Encode(dst, v)
	return row, err
}

// AppendOwn is AppendRow in the order of the type's own schema.
func (c *Codec) AppendOwn(dst template.Row, v any) (template.Row, error) {
	p, ok := c.structOf(v)
	if !ok {
		return dst, invalid("a nil %v cannot be written", c.goType)
	}
	row, err := c.own.AppendRow(dst, p)
	if err != nil {
		return dst, fmt.Errorf("%w: %w", call.ErrInvalidArgument, err)
	}
	return row, nil
}

// Encode is AppendRow that also returns the schema of the row.
func (c *Codec) Encode(dst template.Row, v any) (template.Row, *template.Schema, error) {
	p, ok := c.structOf(v)
	if !ok {
		return dst, nil, invalid("a nil %v cannot be written", c.goType)
	}
	w := c.writing()
	row, err := w.AppendRow(dst, p)
	if err != nil {
		return dst, nil, fmt.Errorf("%w: %w", call.ErrInvalidArgument, err)
	}
	return row, w.Schema(), nil
}

// Over returns the row of v over that of an entry, and its schema: the fields that v's type does not have are those of
// the entry. The entry is of the codec's kind, or of one that embeds it. Fields of the type that the space lacks are
// registered.
func (c *Codec) Over(
	ctx context.Context, sp Registrar, s *template.Schema, row template.Row, v any,
) (template.Row, *template.Schema, error) {
	p, ok := c.structOf(v)
	if !ok {
		return nil, nil, invalid("a nil %v cannot be written", c.goType)
	}
	bound, err := c.bind(s)
	if err != nil {
		return nil, nil, err
	}
	if bound.Lacks() && s.Kind == c.Kind() {
		if err := c.Register(ctx, sp); err != nil {
			return nil, nil, err
		}
		bound = c.writing()
	}
	made, err := bound.AppendOver(nil, row, p)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", call.ErrInvalidArgument, err)
	}
	return made, bound.Schema(), nil
}

// Decode sets v, a pointer to a value of the codec's type, to the entry with a row of the schema s, or to the embedded
// part of it that has the codec's kind. It returns a *template.UnusableEntryError if the type cannot hold it.
func (c *Codec) Decode(s *template.Schema, row template.Row, v any) error {
	bound, err := c.bind(s)
	if err == nil && c.strict {
		err = c.lost(s, row)
	}
	if err != nil {
		return &template.UnusableEntryError{Kind: s.Kind, Fields: row.Map(s), Err: err}
	}
	if c.pointer {
		p := reflect.New(c.goType)
		reflect.ValueOf(v).Elem().Set(p)
		v = p.Interface()
	}
	return bound.DecodeRow(row, v)
}

// lost returns an error that names the first field of an entry that has a value and that the type lacks.
func (c *Codec) lost(s *template.Schema, row template.Row) error {
	for i, v := range row.Fields() {
		if v != nil && i < len(s.Fields) && c.own.Schema().Index(s.Fields[i].Name) < 0 {
			return fmt.Errorf("%v has no field %q", c.goType, s.Fields[i].Name)
		}
	}
	return nil
}

// Conds returns the conditions of the template that v is: a value of the codec's type, or a pointer to one; nil has
// none.
func (c *Codec) Conds(v any) ([]template.Cond, error) {
	p, ok := c.structOf(v)
	if !ok {
		return nil, nil
	}
	conds, err := c.own.Template(p)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", call.ErrInvalidArgument, err)
	}
	return conds, nil
}

// structOf returns v as a pointer to the struct, or false if that is nil.
func (c *Codec) structOf(v any) (any, bool) {
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer && rv.Type().Elem().Kind() == reflect.Pointer {
		rv = rv.Elem()
		v = rv.Interface()
	}
	if rv.Kind() != reflect.Pointer {
		p := reflect.New(c.goType)
		p.Elem().Set(rv)
		return p.Interface(), true
	}
	return v, !rv.IsNil()
}

// bind returns the codec for rows of schema s.
func (c *Codec) bind(s *template.Schema) (*template.Codec, error) {
	if w := c.writing(); s == w.Schema() {
		return w, nil
	}
	if b, ok := c.bound.Load(s.Kind); ok && b.(*binding).schema == s {
		return b.(*binding).codec, nil
	}
	if kind := c.Kind(); s.Kind != kind && !slices.Contains(s.Supers, kind) {
		return nil, fmt.Errorf("kind %q does not embed kind %q of %v", s.Kind, kind, c.goType)
	}
	codec, err := c.own.Bind(s)
	if err != nil {
		return nil, err
	}
	// By kind rather than by schema, so that a kind whose schema changes does not keep its old ones.
	c.bound.Store(s.Kind, &binding{s, codec})
	return codec, nil
}

// invalid returns an error that wraps space.ErrInvalidArgument.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{call.ErrInvalidArgument}, args...)...)
}
