package space

import (
	"context"

	"github.com/gospaces/gospaces/space/codec"
	"github.com/gospaces/gospaces/template"
)

// Prepared is a template compiled once, with its options, for many calls. Later changes of the original do not affect
// it. It is immutable; its methods may be called concurrently.
type Prepared[T any] struct {
	space  Space
	codec  *codec.Codec
	query  Query
	row    template.Row // the template as an entry, in the order of its type's own schema
	rowErr error        // why the template cannot be an entry
}

// Prepare compiles template and opts for sp. It returns the errors that Read would return for them.
func Prepare[T any](ctx context.Context, sp Space, template T, opts ...ReadOption) (*Prepared[T], error) {
	known, q, err := query(ctx, sp, &template, opts)
	if err != nil {
		return nil, err
	}
	p := &Prepared[T]{space: sp, codec: known, query: q}
	p.row, p.rowErr = known.AppendOwn(nil, &template)
	return p, nil
}

// Query returns the compiled query, for the methods of Space. The caller may change it, but nothing that it refers to.
func (p *Prepared[T]) Query() Query { return p.query }

// Decode returns an entry found for the query as a T. It returns an *UnusableEntryError if T cannot hold the entry or,
// with the option Strict, would lose part of it.
func (p *Prepared[T]) Decode(e *Entry) (T, error) {
	var v T
	err := decode(p.codec, e, &v)
	return v, err
}

// Read is the function Read with the prepared template. Options override those of Prepare.
func (p *Prepared[T]) Read(ctx context.Context, opts ...PreparedOption) (T, error) {
	return p.one(ctx, verb{}, opts)
}

// Take is the function Take with the prepared template.
func (p *Prepared[T]) Take(ctx context.Context, opts ...PreparedOption) (T, error) {
	return p.one(ctx, verb{take: true}, opts)
}

// ReadIfExists is the function ReadIfExists with the prepared template.
func (p *Prepared[T]) ReadIfExists(ctx context.Context, opts ...PreparedOption) (T, error) {
	return p.one(ctx, verb{ifExists: true}, opts)
}

// TakeIfExists is the function TakeIfExists with the prepared template.
func (p *Prepared[T]) TakeIfExists(ctx context.Context, opts ...PreparedOption) (T, error) {
	return p.one(ctx, verb{take: true, ifExists: true}, opts)
}

// Count is the function Count with the prepared template; waits and orderings of Prepare are ignored.
func (p *Prepared[T]) Count(ctx context.Context, opts ...TxnOption) (int, error) {
	c, err := newCall(p.space, opts)
	if err != nil {
		return 0, err
	}
	defer c.free()
	q := p.query
	q.Order, q.Wait = nil, 0
	if c.txn != nil {
		q.Txn = c.under()
	}
	return p.space.Count(ctx, q)
}

// Write writes the template itself as an entry, like the function Write: a template is an entry with some zero fields.
// Conditions are ignored.
func (p *Prepared[T]) Write(ctx context.Context, opts ...WriteOption) (*Lease, error) {
	if p.rowErr != nil {
		return nil, p.rowErr
	}
	c, err := newCall(p.space, opts)
	if err != nil {
		return nil, err
	}
	defer c.free()
	leases, err := c.writeAll(ctx, p.space, p.codec.Type(), func(known *codec.Codec) error {
		s := known.Schema()
		c.row = p.row.Reordered(c.row, p.codec.Own(), s)
		c.drafts = append(c.drafts, Draft{Kind: s.Kind, Schema: s, Row: c.row, Lease: c.leaseOr(Forever), Delay: c.delay})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return leases[0], nil
}

func (p *Prepared[T]) one(ctx context.Context, v verb, opts []PreparedOption) (found T, err error) {
	c, err := newCall(p.space, opts)
	if err != nil {
		return found, err
	}
	defer c.free()
	q := p.query
	if c.bounded {
		q.Wait, q.NoWait = c.wait, c.noWait
	}
	if c.txn != nil {
		q.Txn = c.under()
	}
	err = first(ctx, p.space, p.codec, q, v, &found)
	return found, err
}
