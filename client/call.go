package client

import (
	"context"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/impl"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// pendingCall is one call: the request and the answer. Calls are pooled; a call is used by the goroutine that makes it,
// and by the connection's reader from the time it is sent until it is done.
type pendingCall struct {
	op   wire.Type
	part *part
	done chan struct{} // capacity 1: done

	// The request; which fields depends on op.
	drafts   []space.Draft
	change   *space.Change
	txn      txn.ID // zero: none
	query    space.Query
	take     bool
	reserve  bool            // what is found is not taken, but reserved
	wait     time.Duration   // as in package wire
	deadline time.Time       // end of wait; zero if unlimited
	limited  bool            // it ends without a connection, see limitAt; otherwise only its context ends it
	limit    time.Time       // that time; zero until it is computed
	sentAt   time.Time       // before which it was not sent, if it begins transactions
	pauses   backoff.Backoff // before it is made again, because the server has held it back
	until    time.Time       // as long as it is; zero: until its context ends
	pausedAt time.Time       // when the first of these pauses began
	lease    int64
	delay    time.Duration
	ids      []space.LeaseID
	cursor   call.Cursor // of contents; valid only in the session
	epoch    uint64
	id       uint64 // of an entry, a registration or a backup
	session  uint64 // with the partition that is opened, or of the call that is asked about
	seq      uint64 // of its last event received
	window   int    // for its events
	on       call.EventSet
	reg      *registration
	lane     *lane // that it is to be made on; nil: any
	link     *link // by which it is to be sent, since it is about the session there; nil: that of a lane
	via      *link // by which it was sent
	schema   *template.Schema
	name     string
	tables   bool
	from     txn.Address // of a backup's part
	shape    call.Shape  // of a space to be created
	payload  []byte
	resolved string // the kind that was last made known to the session so that the call can be sent

	// For a call that was sent before, in a session that is gone.
	repeated bool
	ask      bool // only ask for the outcome: do not execute it now
	// for an abandoned call: made even if the space was closed meanwhile; when repeated, only to ask
	posthumous bool
	owing      bool   // it must be sent again; the lane counts such calls
	moved      bool   // its partition has moved: it is owed until its outcome arrives, see owed
	born       uint64 // the epoch of the session in which it was first sent

	asked *asked // the request as it is sent; memory for that of the next call

	// The outcome.
	number  uint64             // of the call, by which partitions know it: that of its first frame
	frame   uint64             // of the frame that was sent last: the answer to an earlier one is not taken for its answer
	end     uint64             // position in the stream after the frame
	sent    bool               // err is errLost, and the server may have seen the call
	gone    chan struct{}      // closed when what it may have left behind is gone; nil: nothing was left
	err     error              // why there is none
	failed  bool               // body is that of a Failure
	body    []byte             // of the answer
	schemas []*template.Schema // by kind
}

// keptBody is the largest body buffer that returns to the pool.
const keptBody = 64 << 10

// newCall returns a call for the calling goroutine, which must free it.
func newCall(s *part, op wire.Type) *pendingCall {
	c, _ := s.client.calls.Get().(*pendingCall)
	if c == nil {
		c = &pendingCall{done: make(chan struct{}, 1), asked: new(asked)}
	}
	c.part, c.op = s, op
	return c
}

// free returns c to the pool, without anything that belongs to the caller.
func (c *pendingCall) free() {
	body := c.body[:0]
	if cap(body) > keptBody {
		body = nil
	}
	pool := &c.part.client.calls
	c.asked.reset()
	*c = pendingCall{done: c.done, body: body, asked: c.asked}
	pool.Put(c)
}

// entry returns the entry of c in the table of operations.
func (c *pendingCall) entry() *wire.Op { return wire.OpOf(c.op) }

// repeatable reports whether c may be repeated when it is unknown whether it was executed.
func (c *pendingCall) repeatable() bool {
	if c.op == wire.Find {
		return !c.take || c.query.Begin // transactions it began are ended first
	}
	return !c.entry().Once()
}

// strands reports whether the outcome of c cannot be learned any more once the node to which it was sent is lost: no
// other node can tell it, and c must not be made again.
func (c *pendingCall) strands() bool { return c.entry().Once() && !c.entry().HasHandle() }

// locks reports whether c locks what it finds.
func (c *pendingCall) locks() bool { return c.op == wire.Find && !c.query.Txn.IsZero() }

// lasts reports whether the server may take long to answer: the call waits for a match, or examines many entries.
func (c *pendingCall) lasts() bool { return c.entry().Lasts() }

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

// sub returns a call that prepares c, with the same limits.
func (c *pendingCall) sub(op wire.Type) *pendingCall {
	sub := newCall(c.part, op)
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

// do makes c and returns its result, which is valid until c is freed; that of a call that has failed is empty.
func (c *pendingCall) do(ctx context.Context) (*call.Result, error) {
	if err := c.part.client.do(ctx, c); err != nil {
		return &c.asked.result, err
	}
	return c.result()
}

// result decodes the answer. A malformed one has no result.
func (c *pendingCall) result() (*call.Result, error) {
	a := c.asked
	a.body, a.filled = wire.NewDecoder(c.body), true
	c.entry().DecodeAnswer(&a.body, &a.result)
	err := a.body.Err()
	if err != nil {
		a.result = call.Result{}
	}
	return &a.result, err
}

// entries returns the entries of a result. Their rows share one block of memory, owned by the caller, and the
// transactions that were begun for them are known to the space.
func (c *pendingCall) entries(r *call.Result) ([]space.Entry, error) {
	if c.query.Begin && len(r.Grants) != len(r.Entries) {
		return nil, fmt.Errorf("%w: no transactions were begun", wire.ErrMalformed)
	}
	if len(r.Entries) > 0 {
		c.body = nil // it belongs to the caller now
	}
	entries := make([]space.Entry, 0, len(r.Entries))
	for i := range r.Entries {
		e := &r.Entries[i]
		schema, err := c.schemaOf(int(e.Kind))
		if err != nil {
			return nil, err
		}
		entries = append(entries, space.Entry{
			ID: space.LeaseID(e.ID), Schema: schema, Row: e.Row, Version: e.Version, Attempts: e.Attempts,
			Died: impl.Death(e.Died), Held: impl.Holder(e.Held, c.part.at.Space),
		})
		if c.query.Begin {
			t := grantOf(r.Grants[i]).Txn(c.part.space, c.part.at.Space, c.sentAt.Add(r.Waited))
			c.part.txns.Add(t, c.via.lane)
			entries[i].Txn = t
		}
	}
	return entries, nil
}

// schemaOf returns the schema of a kind that the answer names, of which the server has told before.
func (c *pendingCall) schemaOf(kind int) (*template.Schema, error) {
	if kind < 0 || kind >= len(c.schemas) || c.schemas[kind] == nil {
		return nil, fmt.Errorf("%w: kind %d was not announced", wire.ErrMalformed, kind)
	}
	return c.schemas[kind], nil
}
