package server

import (
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
)

// handleOpen opens a partition under the handle that the client chose.
func (s *session) handleOpen(callID uint64, a *call.Ask) error {
	if a.Handle >= uint64(s.srv.cfg.MaxSpaces) {
		return s.fail(callID, fmt.Errorf("%w: open %.40q as %d", call.ErrInvalidArgument, a.At, a.Handle))
	}
	if before := s.caller(a.Handle); before != nil {
		switch open, err := before.openAgain(callID, a); {
		case err != nil:
			return s.fail(callID, err)
		case open:
			return nil
		}
	}
	place, err := s.srv.cfg.Spaces.Lookup(a.At)
	if err != nil {
		return s.fail(callID, err)
	}
	c := s.newCaller(a, place.Host, place.Incarnation == "")
	o := &wire.Opened{Incarnation: place.Incarnation, Partitions: place.Partitions}
	if c.absent || s.client == (call.Client{}) {
		c.answerOpened(callID, o, 0, true)
	} else if err := c.openSession(callID, a.Session, o); err != nil {
		return s.fail(callID, err)
	}
	s.opened(c)
	return nil
}

// openAgain handles a further Open of a handle, and reports whether c is still open. It returns an error, and does not
// reply, for another partition, and for an Open that the client sent before it knew of the last Reset: calls sent until
// then must not reach the next opening.
func (c *caller) openAgain(callID uint64, a *call.Ask) (open bool, err error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	resets := c.resets
	if c.stale.Load() {
		resets++
	}
	switch {
	case c.at != a.At:
		return false, fmt.Errorf("%w: another partition is open as %d", call.ErrInvalidArgument, a.Handle)
	case a.Resets != resets:
		return false, errOpenAgain
	case c.stale.Load():
		return false, nil
	}
	durable := len(c.later) == 0
	c.emitLocked(wire.AppendFrame(c.bufferLocked(durable), wire.Answer, callID, c.opened), 0, durable)
	return true, nil
}

func (s *session) newCaller(a *call.Ask, host Host, absent bool) *caller {
	c := &caller{
		outlet: outlet{s: s}, handle: a.Handle, resets: a.Resets, at: a.At, host: host,
		absent: absent, volatile: !host.Logged(),
		listeners: map[uint64]*listener{},
	}
	c.of = c
	return c
}

// openSession opens the client's session with the partition for c, and replies to the Open. It fails, without a reply,
// while the partition cannot tell which transactions of the client are open.
func (c *caller) openSession(callID, number uint64, o *wire.Opened) (err error) {
	if c.session, o.Lost, err = c.host.OpenSession(c.s.client, number); err != nil {
		return err
	}
	o.Session = c.session
	err = c.host.Adopt(c.session, c, func(open []call.OpenTxn, lsn call.LSN, durable bool) {
		if number == 0 { // the client knows of none that has ended
			lsn, durable = 0, true
		}
		c.adoptTxns(open)
		for _, t := range open {
			o.Txns = append(o.Txns, wire.OpenTxn(t))
		}
		c.answerOpened(callID, o, lsn, durable)
	})
	if err != nil {
		c.host.CloseSession(c.session, false)
	}
	return err
}

// answerOpened replies to an Open. A reply that names the open transactions says that the others have ended, so no
// crash may bring these back.
func (c *caller) answerOpened(callID uint64, o *wire.Opened, lsn call.LSN, durable bool) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.opened = wire.AppendOpened(nil, o)
	c.emitLocked(wire.AppendFrame(c.bufferLocked(durable), wire.Answer, callID, c.opened), lsn, durable)
}

// opened makes c the caller of its handle. The host of the address may have changed since it was looked up, without c
// having been reset.
func (s *session) opened(c *caller) {
	s.addCaller(c)
	if now, err := s.srv.cfg.Spaces.Lookup(c.at); err != nil || now.Host != c.host {
		c.reset()
	}
}

// caller returns the partition that is open under a handle, or nil.
func (s *session) caller(handle uint64) *caller {
	if handle >= uint64(len(s.callers)) {
		return nil
	}
	return s.callers[handle]
}

func (s *session) addCaller(c *caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for uint64(len(s.callers)) <= c.handle {
		s.callers = append(s.callers, nil)
	}
	c.inheritLocked(s.callers[c.handle])
	s.callers[c.handle] = c
}
