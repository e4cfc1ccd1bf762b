package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/impl"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

// regKey identifies a registration on a connection: the handle of its space, and its number there.
type regKey struct{ handle, id uint64 }

// registration is a registration with a space on a server. The server sends events within a window of bytes, which Next
// reopens as it returns them: the queue is bounded, and a slow listener delays no other.
type registration struct {
	part   *part
	lease  *space.Lease
	closed chan struct{} // closed by Close
	once   sync.Once     // closes
	wake   chan struct{} // one slot, filled when there may be something new in the queue

	// Set by the reader when the answer comes, and then immutable.
	lane        *lane
	id          uint64
	granted     time.Duration
	start       uint64
	incarnation string // of the space

	mu       sync.Mutex
	queue    []queued // guarded by mu
	last     uint64   // guarded by mu; number of the last event returned, or reported as lost
	received uint64   // guarded by mu; number of the last event queued
	unacked  int      // guarded by mu; bytes of events that were returned and not acknowledged

	displaced bool // guarded by mu; another session listens
}

// queued is an event, or the end of the registration, with its size on the wire.
type queued struct {
	space.Event
	size int
	end  error // of theEnd: what Next returns
}

// theEnd is the type of the last item of a queue; its number is that of a next event.
const theEnd space.EventType = 0

// Notify implements space.Space.
func (s *part) Notify(
	ctx context.Context, q space.Query, on space.EventSet, lease time.Duration,
) (space.Registration, error) {
	r, err := s.notify(ctx, q, on, lease, make(chan struct{}, 1))
	if err != nil {
		return nil, err
	}
	return r, nil
}

// notify is Notify for a registration that fills wake.
func (s *part) notify(
	ctx context.Context, q space.Query, on space.EventSet, lease time.Duration, wake chan struct{},
) (*registration, error) {
	if lease < 0 {
		return nil, invalid("lease %v is negative", lease)
	}
	if err := impl.Check(&q, impl.Notify); err != nil {
		return nil, err
	}
	r := &registration{part: s, closed: make(chan struct{}), wake: wake}
	c := newCall(s, wire.Notify)
	defer c.free()
	c.query, c.lease, c.window, c.reg = q, int64(lease), s.client.cfg.EventWindow, r
	c.on = call.EventSet(on)
	sent := time.Now()
	if err := s.client.do(ctx, c); err != nil {
		return nil, err
	}
	if r.lane == nil {
		return nil, fmt.Errorf("%w: answer to notify", wire.ErrMalformed)
	}
	r.lease = space.Grant{ID: space.LeaseID(r.id), Granted: r.granted}.Lease(s.space, sent)
	return r, nil
}

// adoptLocked makes r known to the link that received the answer to Notify, before the first event comes.
func (r *registration) adoptLocked(l *link, body []byte, incarnation string) {
	var noted call.Result
	d := wire.NewDecoder(body)
	wire.OpOf(wire.Notify).DecodeAnswer(&d, &noted)
	if d.Err() != nil {
		return
	}
	g := noted.Grants[0]
	r.lane, r.id, r.granted, r.start, r.incarnation = l.lane, g.ID, time.Duration(g.Granted), noted.Seq, incarnation
	r.last, r.received = noted.Seq, noted.Seq
	l.regs[regKey{r.part.handle, r.id}] = r
	l.silence.watch()
}

// Lease implements space.Registration.
func (r *registration) Lease() *space.Lease { return r.lease }

// Start implements space.Registration.
func (r *registration) Start() uint64 { return r.start }

// Next implements space.Registration.
func (r *registration) Next(ctx context.Context) (space.Event, error) {
	for {
		if r.isClosed() {
			return space.Event{}, space.ErrClosed
		}
		if err := ctx.Err(); err != nil {
			return space.Event{}, err
		}
		if e, ok, err := r.pop(); ok {
			return e, err
		}
		select {
		case <-r.wake:
		case <-r.closed:
		case <-r.part.space.closed:
		case <-ctx.Done():
		}
	}
}

func (r *registration) isClosed() bool { return isClosed(r.closed) || r.part.space.isClosed() }

// pop returns the next event, or the gap before it, or space.ErrLeaseEnded if none will come; false if none has come
// yet.
func (r *registration) pop() (space.Event, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 {
		r.acknowledgeLocked()
		return space.Event{}, false, nil
	}
	defer r.signal() // for another Next that waits, if there is more
	q := &r.queue[0]
	if q.Seq > r.last+1 && (q.Type != space.Gap || q.Cause == space.GapRestart) {
		return r.gapLocked(q.Seq-1, space.GapEnded), true, nil
	}
	if q.Type == theEnd {
		return space.Event{}, true, q.end // it stays in the queue
	}
	e, size := q.Event, q.size
	*q = queued{}
	r.queue = r.queue[1:]
	if e.Type == space.Gap && e.Cause != space.GapRestart {
		e = r.gapLocked(e.Seq, e.Cause)
	}
	r.last = e.Seq
	if r.unacked += size; r.unacked >= r.part.client.cfg.EventWindow/4 {
		r.acknowledgeLocked()
	}
	return e, true, nil
}

// gapLocked reports the events up to seq as lost.
func (r *registration) gapLocked(seq uint64, why space.GapCause) space.Event {
	e := space.Event{Type: space.Gap, Seq: seq, Cause: why, Missed: seq - r.last}
	r.last = seq
	return e
}

// acknowledgeLocked reopens the window for returned events, and lets the server drop them.
func (r *registration) acknowledgeLocked() {
	if r.unacked == 0 {
		return
	}
	r.post(r.last, r.unacked)
	r.unacked = 0
}

// post acknowledges the events up to seq, which had size bytes.
func (r *registration) post(seq uint64, size int) {
	a := &call.Ask{ID: r.id, Seq: seq, Size: uint64(size)}
	r.part.linkOf(r.lane).post(wire.Acknowledge, 0, wire.OpOf(wire.Acknowledge).Append(nil, r.part.handle, a))
}

// push adds an event to the queue. After a reattachment some may come again.
func (r *registration) push(ev *call.Event, schema *template.Schema, size int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ev.Seq <= r.received {
		r.unacked += size
		return
	}
	e := space.Event{Type: space.EventType(ev.Type), Seq: ev.Seq, Cause: space.GapCause(ev.Cause)}
	if e.Type != space.Gap {
		e.Entry = space.Entry{
			ID: space.LeaseID(ev.Entry.ID), Schema: schema, Row: slices.Clone(ev.Entry.Row),
			Version: ev.Entry.Version, Attempts: ev.Entry.Attempts,
		}
	}
	r.received = ev.Seq
	r.queue = append(r.queue, queued{Event: e, size: size})
	r.signal()
}

// end records that no event after the one with number last will come, and why; last is 0 if unknown.
func (r *registration) end(last uint64, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.received = max(r.received, last)
	r.displaced = r.displaced || why == space.ErrDisplaced
	r.queue = append(r.queue, queued{Event: space.Event{Type: theEnd, Seq: r.received + 1}, end: why})
	r.signal()
}

func (r *registration) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Close implements space.Registration. Without a connection it tries for Config.Grace; afterwards the lease ends the
// registration.
func (r *registration) Close() error {
	r.once.Do(func() { close(r.closed) })
	for _, l := range r.part.client.topology.allLinks() { // it may be on its way from one to another
		if l.lane == r.lane {
			l.forget(r)
		}
	}
	if r.isDisplaced() {
		return nil // it belongs to another session
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.part.client.cfg.Grace)
	defer cancel()
	err := r.lease.Cancel(ctx)
	r.post(wire.AllEvents, 0)
	if errors.Is(err, space.ErrLeaseEnded) || errors.Is(err, space.ErrClosed) {
		return nil
	}
	return err
}

// forget makes r unknown to the link.
func (l *link) forget(r *registration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.regs, regKey{r.part.handle, r.id})
}

func (r *registration) isDisplaced() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.displaced
}

// endRegistrations ends the registrations of a partition that is not there any more.
func (l *link) endRegistrations(p *part) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, r := range l.regs {
		if r.part == p {
			delete(l.regs, key)
			r.end(0, space.ErrDropped)
		}
	}
}

// reattach attaches the session to its registrations: those of a space or, if s is nil, all.
func (l *link) reattach(s *part) {
	l.mu.Lock()
	regs := slices.Collect(maps.Values(l.regs))
	l.mu.Unlock()
	if s != nil {
		regs = slices.DeleteFunc(regs, func(r *registration) bool { return r.part != s })
	}
	ctx, cancel := l.life.context()
	defer cancel()
	for _, r := range regs {
		r.attach(ctx)
	}
}

// attach tries to attach r until that succeeds, the registration has ended, or ctx ends. It stops if the session is
// lost again meanwhile: the next one starts again.
func (r *registration) attach(ctx context.Context) {
	cfg := r.part.client.cfg
	for pauses := cfg.backoff(); ; {
		err := r.attachOnce(ctx)
		switch {
		case err == nil || r.isClosed():
			return
		case errors.Is(err, space.ErrLeaseEnded):
			r.end(0, space.ErrLeaseEnded)
			return
		case errors.Is(err, space.ErrDropped):
			r.end(0, space.ErrDropped)
			return
		}
		cfg.Logger.Info("cannot attach to a registration yet", "registration", r.id, "error", err)
		if pauses.Wait(ctx) != nil {
			return
		}
	}
}

func (r *registration) attachOnce(ctx context.Context) error {
	c := newCall(r.part, wire.Attach)
	defer c.free()
	c.lane, c.reg, c.id, c.window = r.lane, r, r.id, r.part.client.cfg.EventWindow
	r.mu.Lock()
	c.seq = r.received
	r.mu.Unlock()
	if err := r.part.client.do(ctx, c); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.post(r.last, 0) // a restarted server may not know it any more
	return nil
}
