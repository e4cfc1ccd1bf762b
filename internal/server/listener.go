package server

import (
	"encoding/binary"
	"errors"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
)

// listener receives the events of one registration for the client, within a window of bytes that the client opens again
// by acknowledging. Beyond it, or when too much is unsent, the listener lapses: it takes no more events, and once there
// is room another one attaches in its place and gets what followed.
type listener struct {
	outlet
	c      *caller
	window int

	// Guarded by s.mu.
	registration uint64
	seq          uint64 // of the last event passed on
	unread       int    // bytes of the bodies of events that the client has not acknowledged
	lapsed       bool
}

var _ interface {
	call.Caller
	call.Ender
	call.Displacer
} = (*listener)(nil)

// minWindow has room for any two events.
const minWindow = 1 << 10

func newListener(c *caller, window, registration, seq uint64) *listener {
	return &listener{
		outlet: outlet{s: c.s, of: c}, c: c, window: int(min(max(window, minWindow), uint64(c.s.srv.cfg.MaxUnsent))),
		registration: registration, seq: seq,
	}
}

// listen passes on a Notify, or an Attach, which makes this session the listener of an existing registration, from an
// event number on.
func (c *caller) listen(callID uint64, a *call.Ask) error {
	if err := c.roomForListener(); err != nil {
		return c.s.fail(callID, err)
	}
	c.host.Do(newListener(c, a.Window, a.ID, a.Seq), tag(wire.Type(a.Op), callID), a)
	return nil
}

// attach makes l the listener of its registration.
func (c *caller) attach(l *listener, tagged uint64) {
	c.host.Do(l, tagged, &call.Ask{Op: call.OpAttach, ID: l.registration, Seq: l.seq})
}

// roomForListener returns an error if the client may listen to no more registrations of the space of c.
func (c *caller) roomForListener() error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return tooMany(len(c.listeners), c.s.srv.cfg.Client.Registrations, "registrations", "max-client-registrations")
}

// acknowledge notes that the client has consumed events up to a number, with their size in bytes. The highest number
// ends the listening.
func (c *caller) acknowledge(_ uint64, a *call.Ask) error {
	s := c.s
	s.mu.Lock()
	l := c.listeners[a.ID]
	switch {
	case l == nil:
	case a.Seq == wire.AllEvents:
		l.forgetLocked()
	default:
		l.unread -= int(min(a.Size, uint64(l.unread)))
		if l.lapsed {
			s.reviveLocked()
		}
	}
	s.mu.Unlock()
	if l == nil {
		return nil
	}
	c.host.Do(c, 0, a)
	if a.Seq == wire.AllEvents {
		c.host.Gone(l)
	}
	return nil
}

// Reply implements call.Caller for the call that made or attached l.
func (l *listener) Reply(tagged uint64, r *call.Result, lsn call.LSN, durable bool) {
	op, callID := wire.Type(tagged>>56), tagged&wire.MaxCall
	s := l.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Err == nil {
		l.adoptLocked(op, r)
	}
	if l.c.stale.Load() {
		l.replyStaleLocked(op, callID, r.Err, durable)
		return
	}
	if op == opRevive {
		if errors.Is(r.Err, call.ErrLeaseEnded) {
			l.endedLocked(lsn, durable)
		}
		return // otherwise the client is not told
	}
	buf := l.bufferLocked(durable)
	if r.Err != nil {
		buf = wire.AppendFailure(buf, callID, r.Err)
	} else {
		buf = wire.OpOf(op).AppendAnswer(buf, callID, r)
	}
	l.emitLocked(buf, lsn, durable)
}

// replyStaleLocked is Reply for a handle that was reset. The registration waits for its next listener.
func (l *listener) replyStaleLocked(op wire.Type, callID uint64, err error, durable bool) {
	if op != opRevive {
		l.c.failLocked(callID, l.c.failure(err, durable))
	}
	l.s.stale = append(l.s.stale, l.c)
	l.s.wakeWriterLocked()
}

// adoptLocked makes acknowledgements of its registration go to l.
func (l *listener) adoptLocked(op wire.Type, r *call.Result) {
	if op == wire.Notify {
		l.registration, l.seq = r.Grants[0].ID, r.Seq
	}
	if old := l.c.listeners[l.registration]; old != nil && old.lapsed {
		l.s.lapsed--
	}
	if l.lapsed {
		l.s.lapsed++
	}
	l.c.listeners[l.registration] = l
}

// Event implements call.Caller.
func (l *listener) Event(ev *call.Event, lsn call.LSN, durable bool) bool {
	s := l.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.lapsed || l.c.stale.Load() {
		return false
	}
	if l.unread > l.window || s.full.Load() {
		l.lapseLocked()
		return false
	}
	if ev.Type != call.Gap {
		l.c.announceKindLocked(ev.Entry.Kind)
	}
	buf := l.bufferLocked(durable)
	start := len(buf)
	buf = wire.Begin(buf, wire.Event, ev.Registration)
	body := len(buf)
	buf = wire.AppendEvent(binary.AppendUvarint(buf, l.c.handle), ev)
	l.seq = ev.Seq
	l.unread += len(buf) - body
	l.emitLocked(wire.End(buf, start), lsn, durable)
	return true
}

func (l *listener) lapseLocked() {
	l.lapsed = true
	if l.c.listeners[l.registration] == l {
		l.s.lapsed++
	}
}

// Ended implements call.Ender.
func (l *listener) Ended(_ uint64, lsn call.LSN, durable bool) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	l.endedLocked(lsn, durable)
}

// Displaced implements call.Displacer. A lapsed listener does not hear of it: the session itself has replaced it.
func (l *listener) Displaced(registration uint64) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	if l.c.listeners[registration] != l {
		return
	}
	l.forgetLocked()
	if l.c.stale.Load() {
		return
	}
	buf := l.bufferLocked(true)
	start := len(buf)
	l.emitLocked(wire.End(binary.AppendUvarint(wire.Begin(buf, wire.Displaced, registration), l.c.handle), start), 0, true)
}

// endedLocked tells the client that the registration is over, with the number of its last event as far as it is known.
func (l *listener) endedLocked(lsn call.LSN, durable bool) {
	l.forgetLocked()
	if l.c.stale.Load() {
		return
	}
	buf := l.bufferLocked(durable)
	start := len(buf)
	buf = binary.AppendUvarint(wire.Begin(buf, wire.Ended, l.registration), l.c.handle)
	buf = binary.AppendUvarint(buf, l.seq)
	l.emitLocked(wire.End(buf, start), lsn, durable)
}

// forgetLocked discards further acknowledgements of l's registration.
func (l *listener) forgetLocked() {
	if old := l.c.listeners[l.registration]; old != nil && old.lapsed {
		l.s.lapsed--
	}
	delete(l.c.listeners, l.registration)
}

// opRevive tags the call by which a listener takes the place of a lapsed one.
const opRevive wire.Type = 0

// lapses counts the listeners that have lapsed. The lock of the session guards it.
type lapses struct {
	lapsed   int  // listeners that have lapsed
	reviving bool // the writer is to look for listeners that can go on
}

// reviveLocked makes the writer look for lapsed listeners that can go on.
func (s *session) reviveLocked() {
	s.reviving = true
	s.wakeWriterLocked()
}

// revive replaces lapsed listeners that have room again. Only the writer calls it.
func (s *session) revive() {
	for _, l := range s.revivable() {
		l.c.attach(l, tag(opRevive, 0))
	}
}

// revivable returns the listeners to attach. One with events that are not durable yet must wait for them, so that newer
// events of its successor do not overtake them.
func (s *session) revivable() []*listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.reviving {
		return nil
	}
	s.reviving = false
	if s.conn == nil || s.lapsed == 0 {
		return nil
	}
	var next []*listener
	for _, c := range s.callers {
		if c != nil {
			next = c.appendRevivableLocked(next)
		}
	}
	return next
}

func (c *caller) appendRevivableLocked(next []*listener) []*listener {
	for id, l := range c.listeners {
		if l.lapsed && l.unread <= l.window/2 && len(l.later) == 0 && !c.s.full.Load() {
			fresh := newListener(c, uint64(l.window), id, l.seq)
			fresh.unread = l.unread
			next = append(next, fresh)
		}
	}
	return next
}
