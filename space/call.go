package space

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// call is one call of a typed function: its options, and room for what it writes. Calls are pooled, because options
// are functions and whatever they fill in would be allocated each time.
type call struct {
	given  optionSet
	err    error         // the first option that can never be right
	lease  time.Duration // of For
	delay  time.Duration
	txn    *Txn // of In
	on     EventSet
	wait   time.Duration
	noWait bool
	max    int
	order  []string
	work   *workOptions // nil: none of them is given
	parts  []part       // parts[0] belongs to the call's own template
	row    template.Row
	drafts []Draft
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

var calls = sync.Pool{New: func() any { return new(call) }}

// keptRow is the largest row buffer that returns to the pool.
const keptRow = 64 << 10

// begin begins a call for entries of type T. Options are looked at first, so that a call that can never be right does not
// make its kind known. The caller frees the call.
func begin[T any](ctx context.Context, sp Space, allowed optionSet, opts []Option) (*Codec, *call, error) {
	c, err := newCall(sp, allowed, opts)
	if err != nil {
		return nil, nil, err
	}
	codec, err := sp.Codecs().For(ctx, sp, reflect.TypeFor[T]())
	if err != nil {
		c.free()
		return nil, nil, err
	}
	return codec, c, nil
}

// newCall returns a call to sp with opts applied, of which it must only be given those in allowed. The caller frees it.
func newCall(sp Space, allowed optionSet, opts []Option) (*call, error) {
	c := calls.Get().(*call)
	c.parts = append(c.parts, part{})
	for _, o := range opts {
		o(c)
	}
	if rest := c.given &^ allowed; rest != 0 {
		c.reject(invalid("option %v has no meaning for this call", rest))
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
func (c *call) leaseOr(d time.Duration) time.Duration {
	if c.given&optFor != 0 {
		return c.lease
	}
	return d
}

// under returns the identity of the transaction that In names, or none.
func (c *call) under() txn.ID {
	if c.txn == nil {
		return txn.ID{}
	}
	return c.txn.id
}

// free returns c to the pool. It keeps the buffers, but nothing that belongs to the caller.
func (c *call) free() {
	clear(c.order)
	clear(c.parts)
	clear(c.drafts)
	if cap(c.row) > keptRow {
		c.row = nil
	}
	*c = call{order: c.order[:0], parts: c.parts[:0], drafts: c.drafts[:0], row: c.row[:0]}
	calls.Put(c)
}

// reject remembers the first error of an option.
func (c *call) reject(err error) {
	if c.err == nil {
		c.err = err
	}
}

// query returns the query for a call whose own template is v, a pointer to a value of codec's type.
func (c *call) query(ctx context.Context, sp Space, codec *Codec, v any) (Query, error) {
	own := &single{}
	if err := c.parts[0].fill(&own.template, codec, v); err != nil {
		return Query{}, err
	}
	own.list[0] = &own.template
	q := Query{Templates: own.list[:], Wait: c.wait, NoWait: c.noWait, Max: c.max, Txn: c.under()}
	for i := range c.parts[1:] {
		t, err := c.parts[i+1].compile(ctx, sp)
		if err != nil {
			return Query{}, err
		}
		q.Templates = append(q.Templates, t)
	}
	var err error
	q.Order, err = c.orders(codec.Schema())
	return q, err
}

// single holds the one template that most queries have, in one allocation with the list of it.
type single struct {
	template template.Template
	list     [1]*template.Template
}

// compile returns the template of a part that came with its own Go value.
func (p *part) compile(ctx context.Context, sp Space) (*template.Template, error) {
	codec, err := sp.Codecs().For(ctx, sp, p.goType)
	if err != nil {
		return nil, err
	}
	t := new(template.Template)
	return t, p.fill(t, codec, p.value)
}

// fill sets t to the template that v and the part's conditions make.
func (p *part) fill(t *template.Template, codec *Codec, v any) error {
	conds, err := codec.conds(v)
	if err != nil {
		return err
	}
	for i := range p.where {
		w := &p.where[i]
		if conds, err = w.criterion.appendConds(conds, codec.Schema(), w.field); err != nil {
			return err
		}
	}
	*t = template.Template{Kind: codec.Schema().Kind, Conds: conds}
	return nil
}

// orders compiles the fields of OrderBy.
func (c *call) orders(s *template.Schema) ([]template.Order, error) {
	if len(c.order) == 0 {
		return nil, nil
	}
	if len(c.parts) > 1 {
		return nil, invalid("OrderBy cannot be combined with Or")
	}
	orders := make([]template.Order, 0, len(c.order))
	for _, name := range c.order {
		field, desc := strings.CutPrefix(name, "-")
		i := s.Index(field)
		if i < 0 {
			return nil, invalid("kind %q has no field %q", s.Kind, field)
		}
		if slices.ContainsFunc(orders, func(o template.Order) bool { return o.Field == i }) {
			return nil, invalid("OrderBy names field %q twice", field)
		}
		orders = append(orders, template.Order{Field: i, Desc: desc})
	}
	if err := template.CheckOrder(s, orders); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidArgument, err)
	}
	return orders, nil
}
