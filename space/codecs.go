package space

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

// Codecs is a space's cache of the Go types that its callers use: each is compiled once and, when the first value of it is written, its kind
// registered with the space. Its methods may be called concurrently; finding a known type takes no lock.
type Codecs struct {
	types sync.Map // from reflect.Type to *Codec
}

// NewCodecs returns an empty cache, for one implementation of Space.
func NewCodecs() *Codecs { return new(Codecs) }

// For returns the codec of t, a struct type or a pointer to one, for writing: the first call for a type registers its kind with sp, after
// the kinds that it embeds. It returns ErrInvalidArgument for a type that cannot be stored, ErrSchemaConflict if the
// space knows the kind with other types of fields, or the error of Space.Register; later calls then try again.
func (cs *Codecs) For(ctx context.Context, sp Space, t reflect.Type) (*Codec, error) {
	c, err := cs.of(t)
	if err == nil && c.writer.Load() == nil {
		err = c.register(ctx, sp)
	}
	return c, err
}

// of returns the codec of t for reading, which asks nothing of the space.
func (cs *Codecs) of(t reflect.Type) (*Codec, error) {
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

// Codec translates between one Go type and the rows of one space. Its methods may be called concurrently.
type Codec struct {
	goType  reflect.Type    // the struct
	pointer bool            // values are pointers to it
	own     *template.Codec // in the order of the type's own schema, in which templates are made
	strict  bool            // an entry must have no values that the type lacks fields for

	writer atomic.Pointer[template.Codec] // bound to the schema that the space has for the type's kind; nil if that was not registered
	bound  sync.Map                       // from kind to *binding: for the rows of entries
}

// binding is the codec for rows of one schema.
type binding struct {
	schema *template.Schema
	codec  *template.Codec
}

// compile returns a codec that knows nothing of any space's schemas.
func compile(t reflect.Type) (*Codec, error) {
	c := &Codec{goType: t}
	if t.Kind() == reflect.Pointer {
		c.goType, c.pointer = t.Elem(), true
	}
	var err error
	if c.own, err = template.Compile(c.goType); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidArgument, err)
	}
	return c, nil
}

// register makes the type's kind and those it embeds known to sp, and binds c to what the space has for it.
func (c *Codec) register(ctx context.Context, sp Space) error {
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

// outdated reports whether a write failed with err because the kind got another schema after it had been registered for the type, or was
// dropped; it did so once if again is not set yet. For registers the kind anew then.
func (c *Codec) outdated(err error, again *bool) bool {
	if *again || !errors.Is(err, ErrSchemaConflict) && !errors.Is(err, call.ErrUnknownKind) {
		return false
	}
	*again = true
	c.writer.Store(nil)
	return true
}

// Kind returns the name of the type's kind.
func (c *Codec) Kind() string { return c.own.Schema().Kind }

// Schema returns the schema of the type's kind, in the order of the rows that AppendRow makes: that of the space, if For has returned the codec.
func (c *Codec) Schema() *template.Schema { return c.writing().Schema() }

// writing returns the codec for rows to be written.
func (c *Codec) writing() *template.Codec {
	if w := c.writer.Load(); w != nil {
		return w
	}
	return c.own
}

// AppendRow appends the row of v, a value of the codec's type or a pointer to one. It returns ErrInvalidArgument for
// a value that cannot be stored.
func (c *Codec) AppendRow(dst template.Row, v any) (template.Row, error) {
	row, _, err := c.encode(dst, v)
	return row, err
}

// appendOwn is AppendRow in the order of the type's own schema.
func (c *Codec) appendOwn(dst template.Row, v any) (template.Row, error) {
	p, ok := c.structOf(v)
	if !ok {
		return dst, invalid("a nil %v cannot be written", c.goType)
	}
	row, err := c.own.AppendRow(dst, p)
	if err != nil {
		return dst, fmt.Errorf("%w: %w", ErrInvalidArgument, err)
	}
	return row, nil
}

// encode is AppendRow that also tells the schema of the row.
func (c *Codec) encode(dst template.Row, v any) (template.Row, *template.Schema, error) {
	p, ok := c.structOf(v)
	if !ok {
		return dst, nil, invalid("a nil %v cannot be written", c.goType)
	}
	w := c.writing()
	row, err := w.AppendRow(dst, p)
	if err != nil {
		return dst, nil, fmt.Errorf("%w: %w", ErrInvalidArgument, err)
	}
	return row, w.Schema(), nil
}

// over returns the row of v over that of e, and its schema: the fields that v's type does not have are e's. e is of the codec's kind, or of one
// that embeds it. If the space lacks fields of the type they are registered.
func (c *Codec) over(ctx context.Context, sp Space, e *Entry, v any) (template.Row, *template.Schema, error) {
	p, ok := c.structOf(v)
	if !ok {
		return nil, nil, invalid("a nil %v cannot be written", c.goType)
	}
	bound, err := c.bind(e.Schema)
	if err != nil {
		return nil, nil, err
	}
	if bound.Lacks() && e.Kind() == c.Kind() {
		if err := c.register(ctx, sp); err != nil {
			return nil, nil, err
		}
		bound = c.writing()
	}
	row, err := bound.AppendOver(nil, e.Row, p)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrInvalidArgument, err)
	}
	return row, bound.Schema(), nil
}

// Decode sets v, a pointer to a value of the codec's type, to the entry, or to the embedded part of it that has the codec's kind.
// It returns an *UnusableEntryError if the type cannot hold it.
func (c *Codec) Decode(e *Entry, v any) error {
	bound, err := c.bind(e.Schema)
	if err != nil {
		return &UnusableEntryError{Kind: e.Schema.Kind, Fields: e.Fields(), Err: err}
	}
	if c.strict {
		if err := c.lost(e); err != nil {
			return &UnusableEntryError{Kind: e.Schema.Kind, Fields: e.Fields(), Err: err}
		}
	}
	if c.pointer {
		p := reflect.New(c.goType)
		reflect.ValueOf(v).Elem().Set(p)
		v = p.Interface()
	}
	return bound.DecodeRow(e.Row, v)
}

// lost returns an error that names the first field of e that has a value and that the type lacks.
func (c *Codec) lost(e *Entry) error {
	for i, v := range e.Row.Fields() {
		if v != nil && i < len(e.Schema.Fields) && c.own.Schema().Index(e.Schema.Fields[i].Name) < 0 {
			return fmt.Errorf("%v has no field %q", c.goType, e.Schema.Fields[i].Name)
		}
	}
	return nil
}

// conds returns the conditions of the template that v is: a value of the codec's type, or a pointer to one; nil has none.
func (c *Codec) conds(v any) ([]template.Cond, error) {
	p, ok := c.structOf(v)
	if !ok {
		return nil, nil
	}
	conds, err := c.own.Template(p)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidArgument, err)
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
	// By kind rather than by schema, so that a kind whose schema changes does not leave its old ones behind.
	c.bound.Store(s.Kind, &binding{s, codec})
	return codec, nil
}
