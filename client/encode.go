package client

import (
	"errors"
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/impl"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// encode appends the body of the request. It returns a *missingKindError if v lacks a kind that it needs, or the error
// of an invalid call.
func (c *pendingCall) encode(b []byte, v *view) ([]byte, error) {
	op := c.entry()
	c.asked.reset() // if it was encoded before
	c.asked.filled = true
	if c.op == wire.Echo {
		return append(b, c.payload...), nil
	}
	a := &c.asked.request
	if c.posthumous && c.repeated {
		return op.AppendHandle(b, c.part.handle), nil
	}
	if err := c.fill(a, op, v); err != nil {
		return b, err
	}
	return op.Append(b, c.part.handle, a), nil
}

// fill sets a to the request.
func (c *pendingCall) fill(a *call.Ask, op *wire.Op, v *view) error {
	a.Txn, a.Lease, a.Delay = c.named(c.txn), c.lease, int64(c.delay)
	a.ID, a.Seq, a.Window, a.On, a.Cursor = c.id, c.seq, uint64(c.window), c.on, c.cursor
	a.Name, a.Schema, a.Tables, a.Shape = c.name, c.schema, c.tables, c.shape
	a.At, a.Session, a.Resets = c.part.at, c.session, v.resets
	if c.op == wire.Fetch {
		a.At = c.from
	}
	for _, id := range c.ids {
		a.IDs = append(a.IDs, uint64(id))
	}
	switch {
	case op.HasQuery():
		a.Query, a.Wait = &c.asked.query, c.wait
		return c.fillQuery(&c.asked.query, v)
	case c.change != nil:
		return c.fillChange(a, v)
	}
	return c.fillDrafts(a, v)
}

// named returns the identity of a transaction as sent to the partition.
func (c *pendingCall) named(id txn.ID) txn.ID {
	if id.Space == c.part.at.Space {
		id.Space = ""
	}
	return id
}

func (c *pendingCall) fillDrafts(a *call.Ask, v *view) error {
	var last *space.Draft
	var kind call.KindID
	for i := range c.drafts {
		d := &c.drafts[i]
		if last == nil || d.Kind != last.Kind || d.Schema != last.Schema {
			var err error
			if kind, err = v.kindFor(c, d.Kind, d.Schema); err != nil {
				return err
			}
			last = d
		}
		a.Drafts = append(a.Drafts, call.Draft{Kind: kind, Row: d.Row, Lease: int64(d.Lease), Delay: int64(d.Delay)})
	}
	return nil
}

func (c *pendingCall) fillChange(a *call.Ask, v *view) error {
	kind, err := v.kindFor(c, c.change.Kind, c.change.Schema)
	a.Change = call.Change{ID: uint64(c.change.ID), Version: c.change.Version, Kind: kind, Row: c.change.Row}
	return err
}

func (c *pendingCall) fillQuery(q *call.Query, v *view) error {
	from := &c.query
	*q = call.Query{
		Templates: q.Templates[:0], Order: from.Order, Txn: c.named(from.Txn), ID: uint64(from.ID), Max: max(from.Max, 1),
		Take: c.take, Reserve: c.reserve, IfExists: from.IfExists, Claim: from.Claim, Held: from.Held,
		Hidden: from.Hidden != nil,
		Begin:  from.Begin, Lease: int64(from.Lease),
	}
	if c.op == wire.Contents {
		q.Max = impl.Page(from)
	}
	for _, t := range from.Templates {
		if err := addTemplate(q, v, t); err != nil {
			return err
		}
	}
	return nil
}

// addTemplate adds a template to a query, whose ordering follows it: by the number of its kind and the positions of its
// fields if the session knows them, and else by name.
func addTemplate(q *call.Query, v *view, t *template.Template) error {
	kind := v.ids[t.Kind]
	switch {
	case t.Kind == "":
		q.Templates = append(q.Templates, call.Template{Conds: t.Conds})
		return nil
	case kind == 0 && t.Fields == nil && len(t.Conds)+len(q.Order) > 0:
		return &missingKindError{t.Kind}
	case kind != 0:
		bound, err := v.schemas[kind].Rebind(t.Fields, t.Conds, q.Order)
		if err != nil && !errors.Is(err, space.ErrSchemaConflict) {
			return fmt.Errorf("%w: %w", space.ErrInvalidArgument, err)
		}
		if err == nil && bound.Known {
			q.Templates = append(q.Templates, call.Template{Kind: kind, Conds: bound.Conds, Schema: v.schemas[kind]})
			q.Order = bound.Order
			return nil
		}
	}
	q.Templates = append(q.Templates, call.Template{Named: &call.Named{Template: *t}}) // the server may know more
	return nil
}

// keptDrafts is the maximum number of drafts, identities, templates and results whose memory is kept.
const keptDrafts = call.MaxFind

// asked is a call in the form in which it is sent, and what was answered.
type asked struct {
	request call.Ask
	query   call.Query
	body    wire.Decoder // of the answer
	result  call.Result
	filled  bool
}

// reset keeps memory for the next call, but nothing that belongs to this call's caller.
func (a *asked) reset() {
	if !a.filled {
		return
	}
	drafts, ids, templates := kept(a.request.Drafts), kept(a.request.IDs), kept(a.query.Templates)
	entries, grants := kept(a.result.Entries), kept(a.result.Grants)
	*a = asked{}
	a.request.Drafts, a.request.IDs, a.query.Templates = drafts, ids, templates
	a.result.Entries, a.result.Grants = entries, grants
}

// kept returns s without its elements, or nil if it is too large to keep.
func kept[T any](s []T) []T {
	if cap(s) > keptDrafts {
		return nil
	}
	clear(s)
	return s[:0]
}
