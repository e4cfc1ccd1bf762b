package space

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/gospaces/gospaces/space/codec"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// typedCall is one call of a typed function: its options, and memory for what it writes. Calls are pooled, because
// options are interfaces and what they fill in would be allocated each time.
type typedCall struct {
	err     error // the first invalid option
	leased  bool  // For is given
	lease   time.Duration
	delay   time.Duration
	txn     *Txn // of In
	on      EventSet
	bounded bool // Wait or NoWait is given
	wait    time.Duration
	noWait  bool
	max     int
	strict  bool
	held    bool
	hidden  *int
	order   []string
	parts   []part // parts[0] belongs to the call's own template
	row     template.Row
	drafts  []Draft
}

// part is one template of a call with its conditions.
type part struct {
	goType reflect.Type
	value  any // of goType; a nil pointer is an empty template
	where  []clause
}

type clause struct {
	field     string
	criterion Criterion
}

var calls = sync.Pool{New: func() any { return new(typedCall) }}

// keptRow is the largest row buffer that returns to the pool: that of a bulk call of a thousand small entries.
const keptRow = 1 << 20

// begin begins a call that looks for entries of type T. The caller frees the call.
func begin[T any, O option](sp Space, opts []O) (*codec.Codec, *typedCall, error) {
	c, err := newCall(sp, opts)
	if err != nil {
		return nil, nil, err
	}
	known, err := sp.Codecs().Of(reflect.TypeFor[T]())
	if err != nil {
		c.free()
		return nil, nil, err
	}
	return c.codec(known), c, nil
}

// codec returns the codec for what the call finds, which is of the type that known is for.
func (c *typedCall) codec(known *codec.Codec) *codec.Codec {
	if c.strict {
		return known.Strict()
	}
	return known
}

// newCall returns a call to sp with opts applied. The caller frees it.
func newCall[O option](sp Space, opts []O) (*typedCall, error) {
	c := calls.Get().(*typedCall)
	c.parts = append(c.parts, part{})
	for i, o := range opts {
		if any(o) == nil {
			c.reject(invalid("option %d of %d is nil", i+1, len(opts)))
			continue
		}
		o.apply(c)
	}
	if c.txn != nil {
		if err := c.txn.usableIn(sp); err != nil {
			c.reject(err)
		}
	}
	if err := c.err; err != nil {
		c.free()
		return nil, err
	}
	return c, nil
}

// leaseOr returns the lease that For asks for, or else d.
func (c *typedCall) leaseOr(d time.Duration) time.Duration {
	if c.leased {
		return c.lease
	}
	return d
}

// under returns the identity of the transaction that In names, or none.
func (c *typedCall) under() txn.ID {
	if c.txn == nil {
		return txn.ID{}
	}
	return c.txn.id
}

// free returns c to the pool. It keeps the buffers, but nothing that belongs to the caller.
func (c *typedCall) free() {
	clear(c.order)
	clear(c.parts)
	clear(c.drafts)
	if cap(c.row) > keptRow {
		c.row = nil
	}
	*c = typedCall{order: c.order[:0], parts: c.parts[:0], drafts: c.drafts[:0], row: c.row[:0]}
	calls.Put(c)
}

// reject remembers the first error of an option.
func (c *typedCall) reject(err error) {
	if c.err == nil {
		c.err = err
	}
}

// query returns the query for a call whose own template is v, a pointer to a value of codec's type.
func (c *typedCall) query(ctx context.Context, sp Space, codec *codec.Codec, v any) (Query, error) {
	own := &single{}
	orders, err := c.parts[0].fill(ctx, sp, &own.template, codec, v, c.order)
	if err != nil {
		return Query{}, err
	}
	if len(orders) > 0 && len(c.parts) > 1 {
		return Query{}, invalid("OrderBy cannot be combined with Or")
	}
	own.list[0] = &own.template
	q := Query{
		Templates: own.list[:], Order: orders, Wait: c.wait, NoWait: c.noWait, Max: c.max, Txn: c.under(),
		Held: c.held, Hidden: c.hidden,
	}
	for i := range c.parts[1:] {
		t, err := c.parts[i+1].compile(ctx, sp)
		if err != nil {
			return Query{}, err
		}
		q.Templates = append(q.Templates, t)
	}
	return q, nil
}

// single holds the one template that most queries have, in one allocation with the list of it.
type single struct {
	template template.Template
	list     [1]*template.Template
}

// compile returns the template of a part that came with its own Go value.
func (p *part) compile(ctx context.Context, sp Space) (*template.Template, error) {
	known, err := sp.Codecs().Of(p.goType)
	if err != nil {
		return nil, err
	}
	t := new(template.Template)
	_, err = p.fill(ctx, sp, t, known, p.value, nil)
	return t, err
}

// fill sets t to the template that v and the part's conditions make, and returns the ordering by the fields named by
// order.
func (p *part) fill(ctx context.Context, sp Space, t *template.Template, known *codec.Codec, v any,
	order []string,
) ([]template.Order, error) {
	conds, err := known.Conds(v)
	if err != nil {
		return nil, err
	}
	f := naming{known.Own()}
	for i := range p.where {
		w := &p.where[i]
		if err := f.need(ctx, sp, w.field, &w.criterion); err != nil {
			return nil, err
		}
		if conds, err = w.criterion.appendConds(conds, f.schema, w.field); err != nil {
			return nil, err
		}
	}
	orders, err := f.orders(ctx, sp, order)
	*t = template.Template{Kind: f.schema.Kind, Conds: conds, Fields: f.schema.Fields}
	return orders, err
}
