package client

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/impl"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// pendingCall is one call: what is asked, and the answer. Calls are pooled; one is used by the goroutine that calls,
// and by the connection's reader between its being sent and done.
type pendingCall struct {
	op    wire.Type
	space *Space
	done  chan struct{} // capacity 1: the outcome is there

	// The request; which fields depends on op.
	drafts   []space.Draft
	change   *space.Change
	txn      txn.ID // zero: none
	query    space.Query
	take     bool
	wait     time.Duration   // as in package wire
	deadline time.Time       // when wait is over; zero if it is not limited
	limited  bool            // without a connection it ends, see limitAt; otherwise only its context ends it
	limit    time.Time       // when; zero until that is asked for
	sentAt   time.Time       // before which it was not sent, if it begins transactions
	pauses   backoff.Backoff // before it is made again, because the server has held it back
	lease    int64
	delay    time.Duration
	ids      []space.LeaseID
	cursor   call.Cursor // of contents, and good only in the session
	epoch    uint64
	id       uint64 // of a registration, or of the session with the space that is opened
	seq      uint64 // of its last event that is here
	window   int    // for its events
	on       call.EventSet
	reg      *registration
	link     *link // nil: any
	via      *link // by which it was sent
	schema   *template.Schema
	name     string
	payload  []byte
	resolved string // the kind that was made known to the session last, so that the call can be sent

	// Of a call that was sent before, in a session that is gone.
	repeated bool
	ask      bool // only for the outcome: do not execute it now
	// for a call that was given up: made even if the space was closed meanwhile; when repeated, only to ask
	posthumous bool
	owing      bool   // it is yet to be sent again; the link counts such calls
	born       uint64 // the epoch of the session in which it was sent first

	// The outcome.
	number  uint64
	end     uint64             // position in the stream behind the frame
	sent    bool               // err is errLost, and the server may have seen the call
	gone    chan struct{}      // closed when what it may have left behind is gone; nil: it has left nothing
	err     error              // why there is none
	failed  bool               // body is a Failure's
	body    []byte             // of the answer
	schemas []*template.Schema // by kind
}

// keptBody is the largest body buffer that returns to the pool.
const keptBody = 64 << 10

// newCall returns a call for the goroutine that makes it, which frees it.
func newCall(s *Space, op wire.Type) *pendingCall {
	c, _ := s.client.calls.Get().(*pendingCall)
	if c == nil {
		c = &pendingCall{done: make(chan struct{}, 1)}
	}
	c.space, c.op = s, op
	return c
}

// free returns c to the pool, without anything that belongs to the caller.
func (c *pendingCall) free() {
	body := c.body[:0]
	if cap(body) > keptBody {
		body = nil
	}
	pool := &c.space.client.calls
	*c = pendingCall{done: c.done, body: body}
	pool.Put(c)
}

// repeatable reports whether c may be made again when it is not known whether it was made.
func (c *pendingCall) repeatable() bool {
	switch c.op {
	case wire.Write, wire.Notify, wire.Renew, wire.Cancel, wire.Commit, wire.Rollback, wire.Defer, wire.Update,
		wire.DropSpace:
		return false
	case wire.Find:
		return !c.take || c.query.Begin // what was begun is ended before
	}
	return true
}

// locks reports whether c locks what it finds.
func (c *pendingCall) locks() bool { return c.op == wire.Find && !c.query.Txn.IsZero() }

// waits reports whether c may wait for a match.
func (c *pendingCall) waits() bool { return c.op == wire.Find && c.wait != 0 }

// lasts reports whether the server may take its time to answer: it waits for a match, or looks through many entries.
func (c *pendingCall) lasts() bool { return c.op == wire.Find || c.op == wire.Count }

// limitAt returns when a limited call ends for want of a connection: a grace after its own wait or, if it does not
// wait, after now.
func (c *pendingCall) limitAt(grace time.Duration) time.Time {
	if c.limit.IsZero() {
		from := c.deadline
		if from.IsZero() {
			from = time.Now()
		}
		c.limit = from.Add(grace)
	}
	return c.limit
}

// sub returns a call that prepares c, and is bounded as c is.
func (c *pendingCall) sub(op wire.Type) *pendingCall {
	sub := newCall(c.space, op)
	sub.limited, sub.deadline, sub.limit = c.limited && !c.repeated, c.deadline, c.limit
	return sub
}

// outcome returns the error with which c ended, once it is done.
func (c *pendingCall) outcome() error {
	if c.err != nil || !c.failed {
		return c.err
	}
	d := wire.NewDecoder(c.body)
	return d.Error()
}

// encode appends the body of the request. It returns a *missingKindError if v would have to know a kind for that, and
// the error of a call that can never be right.
func (c *pendingCall) encode(b []byte, v *view) ([]byte, error) {
	switch c.op {
	case wire.Echo:
		return append(b, c.payload...), nil
	case wire.Spaces, wire.Status, wire.Backup:
		return b, nil
	case wire.Fetch:
		return binary.AppendUvarint(wire.AppendBytes(binary.AppendUvarint(b, c.id), c.name), c.seq), nil
	case wire.EndBackup:
		return binary.AppendUvarint(b, c.id), nil
	case wire.CreateSpace:
		return wire.AppendBytes(b, c.name), nil
	case wire.DropSpace:
		return binary.AppendUvarint(wire.AppendBytes(b, c.name), c.id), nil
	}
	b = binary.AppendUvarint(b, c.space.handle)
	if c.posthumous && c.repeated {
		return b, nil
	}
	switch c.op {
	case wire.Open:
		return binary.AppendUvarint(wire.AppendAddress(b, c.space.at), c.id), nil
	case wire.Schema, wire.Drop:
		return wire.AppendBytes(b, c.name), nil
	case wire.Register:
		return template.AppendSchema(b, c.schema), nil
	case wire.Write, wire.Commit:
		return c.encodeDrafts(c.encodeTxn(b, c.txn), v)
	case wire.Update:
		return c.encodeChange(c.encodeTxn(b, c.txn), v)
	case wire.Registrations:
		return binary.AppendUvarint(b, c.id), nil
	case wire.Outcome:
		return c.encodeTxn(binary.AppendUvarint(b, c.id), c.txn), nil
	case wire.BeginTxn:
		return wire.AppendLease(b, c.lease), nil
	case wire.Abort:
		return c.encodeTxn(b, c.txn), nil
	case wire.Rollback:
		return c.encodeIDs(c.encodeTxn(b, c.txn)), nil
	case wire.Defer:
		b = binary.AppendUvarint(c.encodeTxn(b, c.txn), c.id)
		return binary.AppendUvarint(b, uint64(c.delay)), nil
	case wire.Find:
		b = wire.AppendFind(b, &call.Query{
			Take: c.take, IfExists: c.query.IfExists, Max: max(c.query.Max, 1), ID: uint64(c.query.ID),
			Claim: c.query.Claim, Held: c.query.Held, Hidden: c.query.Hidden != nil,
			Begin: c.query.Begin, Lease: int64(c.query.Lease),
		}, c.wait)
	case wire.Count:
		b = wire.AppendSelection(b, uint64(c.query.ID), c.query.Held)
	case wire.Contents:
		b = wire.AppendCursor(wire.AppendSelection(b, uint64(c.query.ID), c.query.Held), c.cursor)
		b = binary.AppendUvarint(b, page(&c.query))
	case wire.Notify:
		b = binary.AppendUvarint(wire.AppendLease(b, c.lease), uint64(c.window))
		b = wire.AppendEventSet(b, c.on)
	case wire.Attach:
		b = binary.AppendUvarint(binary.AppendUvarint(b, c.id), c.seq)
		return binary.AppendUvarint(b, uint64(c.window)), nil
	case wire.Renew:
		return c.encodeIDs(wire.AppendLease(b, c.lease)), nil
	case wire.Cancel:
		return c.encodeIDs(b), nil
	case wire.Kinds, wire.Snapshot:
		return b, nil
	}
	return c.encodeQuery(b, v)
}

func (c *pendingCall) encodeIDs(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(c.ids)))
	for _, id := range c.ids {
		b = binary.AppendUvarint(b, uint64(id))
	}
	return b
}

// encodeTxn appends the identity of a transaction.
func (c *pendingCall) encodeTxn(b []byte, id txn.ID) []byte {
	if id.Space == c.space.at.Space {
		id.Space = ""
	}
	return wire.AppendTxn(b, id)
}

func (c *pendingCall) encodeDrafts(b []byte, v *view) ([]byte, error) {
	delayed := slices.ContainsFunc(c.drafts, func(d space.Draft) bool { return d.Delay != 0 })
	b = wire.AppendDrafts(b, len(c.drafts), delayed)
	var last *space.Draft
	var kind call.KindID
	for i := range c.drafts {
		d := &c.drafts[i]
		if last == nil || d.Kind != last.Kind || d.Schema != last.Schema {
			var err error
			if kind, err = v.kindFor(c, d.Kind, d.Schema); err != nil {
				return b, err
			}
			last = d
		}
		if delayed {
			b = wire.AppendDelayed(b, kind, int64(d.Lease), int64(d.Delay), d.Row)
		} else {
			b = wire.AppendDraft(b, kind, int64(d.Lease), d.Row)
		}
	}
	return b, nil
}

func (c *pendingCall) encodeChange(b []byte, v *view) ([]byte, error) {
	kind, err := v.kindFor(c, c.change.Kind, c.change.Schema)
	if err != nil {
		return b, err
	}
	change := call.Change{ID: uint64(c.change.ID), Version: c.change.Version, Kind: kind, Row: c.change.Row}
	return wire.AppendChange(b, &change), nil
}

func (c *pendingCall) encodeQuery(b []byte, v *view) ([]byte, error) {
	b = binary.AppendUvarint(c.encodeTxn(b, c.query.Txn), uint64(len(c.query.Templates)))
	order := c.query.Order
	for _, t := range c.query.Templates {
		var err error
		if b, order, err = appendTemplate(b, v, t, order); err != nil {
			return b, err
		}
	}
	return template.AppendOrder(b, order), nil
}

// appendTemplate appends a template, and returns the ordering of its query as it has to follow: by the number of its
// kind and the positions of its fields if the session knows them, and else by name.
func appendTemplate(b []byte, v *view, t *template.Template, order []template.Order) ([]byte, []template.Order, error) {
	kind := v.ids[t.Kind]
	switch {
	case t.Kind == "":
		return wire.AppendTemplate(b, 0, t.Conds), order, nil
	case kind == 0 && t.Fields == nil && len(t.Conds)+len(order) > 0:
		return b, nil, &missingKindError{t.Kind}
	case kind != 0:
		bound, err := v.schemas[kind].Rebind(t.Fields, t.Conds, order)
		if err != nil && !errors.Is(err, space.ErrSchemaConflict) {
			return b, nil, fmt.Errorf("%w: %w", space.ErrInvalidArgument, err)
		}
		if err == nil && bound.Known {
			return wire.AppendTemplate(b, kind, bound.Conds), bound.Order, nil
		}
	}
	return wire.AppendNamed(b, t), order, nil // the server may know more, or has the last word
}

// entries decodes the entries of an answer. The rows share one block of memory that is the caller's.
func (c *pendingCall) entries(d *wire.Decoder) ([]space.Entry, error) {
	var begun wire.Begun
	if c.query.Begin {
		begun = d.Begun()
	}
	if !d.Ok() {
		return nil, d.Err()
	}
	body := d.Rest()
	c.body = nil // it is the caller's now
	n := 0
	for d := wire.NewDecoder(body); d.More(); n++ {
		d.EntryOf(c.query.Begin)
	}
	entries := make([]space.Entry, 0, n)
	rd := wire.NewDecoder(body)
	for rd.More() {
		e := rd.EntryOf(c.query.Begin)
		if int(e.Kind) >= len(c.schemas) || c.schemas[e.Kind] == nil {
			return nil, fmt.Errorf("%w: entry of kind %d, which was not announced", wire.ErrMalformed, e.Kind)
		}
		entries = append(entries, space.Entry{
			ID: space.LeaseID(e.ID), Schema: c.schemas[e.Kind], Row: e.Row, Version: e.Version,
			Attempts: e.Attempts, Died: impl.Death(e.Died),
			Held: impl.Holder(e.Held, c.space.at.Space),
		})
		if c.query.Begin {
			g := space.Grant{ID: space.LeaseID(e.Txn), Granted: time.Duration(begun.Lease)}
			t := g.Txn(c.space, c.space.at.Space, c.sentAt.Add(begun.Waited))
			c.space.txns.Add(t, c.via)
			entries[len(entries)-1].Txn = t
		}
	}
	return entries, rd.Err()
}
