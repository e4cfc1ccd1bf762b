package client

import (
	"errors"
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

// errDrained ends a connection of a server that shuts down, once no call is in flight.
var errDrained = errors.New("client: the server shuts down")

// read handles the frames of the server until the connection fails, and returns the error.
func (l *link) read() error {
	defer func() { l.in.received = l.in.Total() }()
	for {
		f, ok, err := l.in.Next()
		if err == nil && ok {
			err = l.handle(f)
		}
		if err == nil && !ok {
			err = l.fill()
		}
		if err != nil {
			return err
		}
	}
}

// fill reads more, once everything so far has been handled.
func (l *link) fill() error {
	l.acknowledge()
	if drained, owing := l.drained(); drained {
		if !owing { // otherwise outcomes must be kept
			l.goodbye()
		}
		return errDrained
	}
	if err := l.in.Fill(); err != nil {
		return err
	}
	l.in.activity.Add(1)
	return nil
}

func (l *link) acknowledge() {
	if !l.in.unacknowledged() || l.lane.owed.any() {
		return
	}
	l.in.acked = l.in.received
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out.Commit(wire.AppendAck(l.out.Buffer(), l.in.received))
	l.out.rouse()
}

// drained reports whether the server shuts down and no call is in flight, and whether some must still be repeated.
func (l *link) drained() (drained, owing bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.life.state == draining && l.calls.flying.n == 0, l.calls.outstanding()
}

// handle serves one frame.
func (l *link) handle(f wire.Frame) error {
	switch f.Type {
	case wire.Answer, wire.Failure:
		l.deliver(f)
		return nil
	case wire.Part:
		l.deliverPart(f)
		return nil
	case wire.Displaced:
		return l.handleDisplaced(f)
	case wire.Event, wire.Ended:
		return l.handleEvent(f)
	case wire.Kind:
		return l.handleKind(f)
	case wire.Ack:
		return l.handleAck(wire.NewDecoder(f.Body))
	case wire.TxnLost:
		return l.handleTxnLost(f)
	case wire.Pong:
		return l.handlePong(f)
	case wire.Goaway:
		l.mu.Lock()
		l.life.become(draining)
		l.mu.Unlock()
		return nil
	case wire.Reset:
		l.reset(f.ID)
		return nil
	case wire.Refused:
		d := wire.NewDecoder(f.Body)
		return fmt.Errorf("client: the server ends the connection: %w", d.Error())
	}
	return fmt.Errorf("%w: unknown type %d", wire.ErrMalformed, f.Type)
}

// deliver ends a call, or settles an abandoned one.
func (l *link) deliver(f wire.Frame) {
	l.mu.Lock()
	c := l.calls.remove(f.ID)
	if c == nil {
		if o := l.calls.late(f.ID); o != nil {
			l.lateLocked(o, f)
		}
		l.mu.Unlock()
		return
	}
	v := l.session.view(c.part)
	c.schemas = v.schemas
	if c.reg != nil && c.op == wire.Notify && f.Type == wire.Answer {
		c.reg.adoptLocked(l, f.Body, v.incarnation)
	}
	if f.Type == wire.Failure && l.doubtsLocked(c, f.Body) {
		l.inDoubtLocked(c)
	} else if c.moved {
		l.calls.pay(c)
	}
	l.mu.Unlock()
	c.failed = f.Type == wire.Failure
	if c.failed {
		c.body = c.body[:0] // parts of an answer that failed in the end
	}
	c.body = append(c.body, f.Body...)
	c.done <- struct{}{}
}

// doubtsLocked reports whether the outcome of c, which ended with a Failure, may still be told, later or by another
// node.
func (l *link) doubtsLocked(c *pendingCall, failure []byte) bool {
	if inDoubt(failure) {
		l.reopenLocked()
		return true
	}
	return c.repeated && codeAstray(failure)
}

// deliverPart adds a part to the answer of a call, under the lock because the call may be abandoned meanwhile.
func (l *link) deliverPart(f wire.Frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls.receive(f)
}

// handleKind learns the schema of a kind, or that it was dropped.
func (l *link) handleKind(f wire.Frame) error {
	d := wire.NewDecoder(f.Body)
	id := d.Uint32()
	if !d.Ok() || id == 0 || id >= wire.MaxKinds {
		return fmt.Errorf("%w: kind %d", wire.ErrMalformed, id)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.session.at(f.ID)
	if v == nil {
		return fmt.Errorf("%w: kind %d of a space that was not opened", wire.ErrMalformed, id)
	}
	if !d.More() {
		v.part.space.dropped(v.unlearn(call.KindID(id)))
		return nil
	}
	schema, err := template.DecodeSchema(d.Rest())
	if err != nil {
		return fmt.Errorf("%w: kind %d: %v", wire.ErrMalformed, id, err)
	}
	v.learn(call.KindID(id), v.part.space.intern(schema))
	return nil
}

func (l *link) handleAck(d wire.Decoder) error {
	pos := d.Uvarint()
	if err := d.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.out.Ack(pos) {
		return fmt.Errorf("%w: the server acknowledges what was not sent", wire.ErrMalformed)
	}
	return nil
}

// handleDisplaced ends a registration to which another session has attached. It is not attached to again when the
// session is lost.
func (l *link) handleDisplaced(f wire.Frame) error {
	d := wire.NewDecoder(f.Body)
	key := regKey{d.Uvarint(), f.ID}
	if err := d.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	r := l.regs[key]
	delete(l.regs, key)
	l.mu.Unlock()
	if r != nil {
		r.end(0, space.ErrDisplaced)
	}
	return nil
}

// handleEvent passes an event on to its registration.
func (l *link) handleEvent(f wire.Frame) error {
	d := wire.NewDecoder(f.Body)
	handle := d.Uvarint()
	var ev call.Event
	if f.Type == wire.Event {
		ev = d.Event()
	} else {
		ev.Seq = d.Uvarint()
	}
	if err := d.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	r := l.regs[regKey{handle, f.ID}]
	var schema *template.Schema
	if v := l.session.at(handle); v != nil && int(ev.Entry.Kind) < len(v.schemas) {
		schema = v.schemas[ev.Entry.Kind]
	}
	l.mu.Unlock()
	switch {
	case r == nil:
		return nil // closed meanwhile
	case f.Type == wire.Ended:
		r.end(ev.Seq, space.ErrLeaseEnded)
	case schema == nil && ev.Type != call.Gap:
		return fmt.Errorf("%w: event with an entry of unknown kind %d", wire.ErrMalformed, ev.Entry.Kind)
	default:
		r.push(&ev, schema, len(f.Body))
	}
	return nil
}
