package server

import (
	"errors"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/gospaces/gospaces/internal/wire"
)

// claim makes the caller the owner of a detached session, whose client has received its stream up to a position. A
// connection that is attached is replaced, since the client has given it up. It returns false if the session cannot go
// on from that position.
func (s *session) claim(received uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.life.ownedLocked() || s.flushing {
		if s.conn != nil {
			s.conn.Close()
		}
		s.room.Wait()
	}
	if s.life.state != detached || !s.out.Rewind(received) {
		return false
	}
	s.life.becomeLocked(attached)
	return true
}

// evict ends a session whose client has begun another one. It returns when no call is made on its behalf any more, none
// waits, and its transactions have ended.
func (s *session) evict() {
	s.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.life.state != forgotten {
		s.room.Wait()
	}
}

// attach makes the session use a connection. Only the owner calls it.
func (s *session) attach(nc net.Conn, in *wire.Reader) {
	in.Restart(s.received)
	s.in, s.acked = in, s.received
	s.activity.Add(1)
	s.mu.Lock()
	s.conn, s.reading = nc, true
	if s.life.overLocked() {
		nc.Close()
	}
	s.room.Broadcast() // another connection may have claimed the session meanwhile
	s.mu.Unlock()
	s.resumeWaits()
}

// detach ends the ownership of the caller, whose connection failed with err. The session stays for a while in case that
// the client comes back, if it can; nothing is taken on its behalf meanwhile.
func (s *session) detach(err error) {
	crowded := s.srv.isCrowded()
	s.mu.Lock()
	s.conn, s.reading, s.in = nil, false, nil
	s.life.lostAt = time.Now()
	s.life.goodbye = errors.Is(err, errGoodbye)
	final := s.life.state == leaving || s.life.goodbye || s.srv.cfg.Resume < 0 || crowded || isProtocolError(err)
	if final && s.life.state != ending {
		s.life.becomeLocked(ending)
	}
	s.mu.Unlock()
	s.interruptWaits()

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.state == attached {
		s.life.becomeLocked(detached)
	} else {
		s.finishLocked()
	}
	s.room.Broadcast()
}

// finishLocked ends a session without an owner for good.
func (s *session) finishLocked() {
	if s.life.state == leaving {
		s.life.becomeLocked(ending)
	}
	s.life.becomeLocked(ended)
	close(s.done)
}

// goAway asks the client to make its calls elsewhere, and ends the session if it has no connection.
func (s *session) goAway() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.life.state {
	case attached:
		s.life.becomeLocked(leaving)
		s.life.askedAway = true
		s.goAwayLocked()
	case detached:
		s.life.askedAway = true
		s.endLocked()
	}
}

// goAwayLocked asks the client to go away. The calls that wait are interrupted, so that they do not keep it.
func (s *session) goAwayLocked() {
	s.recall = true
	s.out.Commit(wire.AppendFrame(s.out.Buffer(), wire.Goaway, 0, nil))
	s.wakeWriterLocked()
}

// leaves reports whether the client can be expected to go: the session has something to send to it, or it has shown
// activity since the last look.
func (s *session) leaves(seen map[*session]uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, known := seen[s]
	now := s.activity.Load()
	seen[s] = now
	return !known || now != before || s.held > 0 || s.spans > 0
}

// remote returns the address of the client; "" if it is not connected.
func (s *session) remote() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return ""
	}
	return s.conn.RemoteAddr().String()
}

// end ends the session as soon as it has no owner. It is idempotent.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked()
}

func (s *session) endLocked() {
	switch s.life.state {
	case attached, leaving:
		s.life.becomeLocked(ending)
	case detached:
		s.finishLocked()
	}
	if s.conn != nil {
		s.conn.Close()
	}
	s.room.Broadcast()
}

// forget makes the partitions and the server forget a session that has ended, once nothing is done on its behalf any
// more.
func (s *session) forget() {
	s.mu.Lock()
	for s.spans > 0 {
		s.room.Wait()
	}
	s.mu.Unlock()
	s.endBackups()
	s.leaveStale()
	for _, c := range s.callers {
		if c != nil {
			c.gone()
		}
	}
	s.mu.Lock()
	s.charged = s.srv.cfg.Budget.Settle(s.charged, 0)
	s.mu.Unlock()
	s.srv.forgetSession(s)
	s.mu.Lock()
	s.life.becomeLocked(forgotten)
	s.room.Broadcast()
	s.mu.Unlock()
}

// gone makes the partition forget c and its listeners, and aborts the transactions that it began.
func (c *caller) gone() {
	c.host.Gone(c)
	left := c.abortTxns() // none can begin any more: c makes no calls, and none waits
	c.s.mu.Lock()
	goodbye := c.s.life.goodbye && !left
	c.s.mu.Unlock()
	c.leave(goodbye)
}

// leave makes the partition forget c and its listeners. It may be called again for listeners that have come since.
func (c *caller) leave(goodbye bool) {
	c.host.Gone(c)
	c.s.mu.Lock()
	listeners := slices.Collect(maps.Values(c.listeners))
	c.s.mu.Unlock()
	for _, l := range listeners {
		c.host.Gone(l)
	}
	if c.session != 0 && !c.left {
		c.host.CloseSession(c.session, goodbye)
	}
	c.left = true
}
