package server

import (
	"errors"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/gospaces/gospaces/internal/wire"
)

// claim makes the caller the owner of a detached session, whose client has received its stream up to a position.
// A connection that is attached is replaced: the client knows better that it is dead. It returns false
// if the session cannot go on from there.
func (s *session) claim(received uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.owned || s.flushing {
		if s.conn != nil {
			s.conn.Close()
		}
		s.room.Wait()
	}
	if s.ended || s.leaving || !s.out.Rewind(received) {
		return false
	}
	s.owned = true
	return true
}

// evict ends a session whose client has begun another one. When it returns no call is made on its behalf any more,
// and none waits.
func (s *session) evict() {
	s.mu.Lock()
	s.ended = true
	for s.owned || s.flushing || s.spans > 0 {
		if s.conn != nil {
			s.conn.Close()
		}
		s.room.Wait()
	}
	s.mu.Unlock()
	s.end()
}

// attach makes the session use a connection. Only the owner calls it.
func (s *session) attach(nc net.Conn, in *wire.Reader) {
	in.Restart(s.received)
	s.in, s.acked = in, s.received
	s.activity.Add(1)
	s.mu.Lock()
	s.conn, s.reading = nc, true
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
	s.detached = time.Now()
	s.goodbye = errors.Is(err, errGoodbye)
	s.ended = s.ended || s.leaving || s.srv.cfg.Resume < 0 || crowded || s.goodbye || isProtocolError(err)
	s.mu.Unlock()
	s.interruptWaits(nil)

	s.mu.Lock()
	s.owned = false
	ended := s.ended
	s.room.Broadcast()
	s.mu.Unlock()
	if ended {
		s.end()
	}
}

// goAway asks the client to take its calls elsewhere, and ends the session if it has no connection.
func (s *session) goAway() {
	s.mu.Lock()
	s.goAwayLocked()
	owned := s.owned
	s.mu.Unlock()
	if !owned {
		s.end()
	}
}

// goAwayLocked asks the client to go away. The calls that wait are interrupted, so that they do not keep it.
func (s *session) goAwayLocked() {
	if s.leaving {
		return
	}
	s.leaving, s.recall = true, true
	s.out.Commit(wire.AppendFrame(s.out.Buffer(), wire.Goaway, 0, nil))
	s.wakeWriterLocked()
}

// leaves reports whether there is a sense in waiting for the client to go: the server owes it something, or it has
// given a sign of life since it was last seen.
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
	s.ended = true
	if s.conn != nil {
		s.conn.Close()
	}
	s.room.Broadcast()
	if !s.owned && !s.gone {
		s.gone = true
		close(s.done)
	}
}

// forget makes the partitions and the server forget the session, which has ended, once nothing is done on its behalf
// any more.
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
}

// gone makes the partition forget c and its listeners, and aborts the transactions that it began.
func (c *caller) gone() {
	c.host.Gone(c)
	left := c.abortTxns() // none can begin any more: c makes no calls, and none waits
	c.s.mu.Lock()
	goodbye := c.s.goodbye && !left
	c.s.mu.Unlock()
	c.leave(goodbye)
}

// leave makes the partition forget c and its listeners.
func (c *caller) leave(goodbye bool) {
	if c.left {
		return
	}
	c.left = true
	c.host.Gone(c)
	c.s.mu.Lock()
	listeners := slices.Collect(maps.Values(c.listeners))
	c.s.mu.Unlock()
	for _, l := range listeners {
		c.host.Gone(l)
	}
	if c.session != 0 {
		c.host.CloseSession(c.session, goodbye)
	}
}
