package server

import (
	"sync/atomic"
	"time"
)

// watch closes connections without activity, and ends sessions whose clients do not come back, until the server is
// done.
func (s *Server) watch() {
	every := max(min(s.cfg.Idle, s.cfg.Frame)/4, time.Millisecond)
	tick := time.NewTicker(every)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case now := <-tick.C:
			stood := standstill(last, now, every)
			last = now
			for _, ss := range s.allSessions() {
				ss.check(now, stood)
			}
		case <-s.done:
			return
		}
	}
}

// standstill returns for how long the server did not run since the last look, which is due at a fixed interval: it
// cannot have heard of a client then.
func standstill(last, now time.Time, every time.Duration) time.Duration {
	return max(0, now.Sub(last)-2*every)
}

// pulse tracks the activity of a session's connection. The lock of the session guards what is not atomic.
type pulse struct {
	activity  atomic.Uint64 // reads, and writes while the client does not send, counted
	listening atomic.Uint64 // whether the reader waits for the client, and for what; see listen
	arrived   atomic.Int64  // bytes of the frame that it waits for

	lastActivity uint64    // what watch has seen of activity
	lastSeen     time.Time // when that was new, later by the time in which the server stood still
	lastFrame    uint64    // the frame that watch has seen the reader wait for
	frameSeen    time.Time // when that was new, likewise
	throttled    bool      // the reader waits until the client has read more
}

// check is the look of watch at one session. stood is how long the server has stood still since the last look: that is
// no silence of the client.
func (s *session) check(now time.Time, stood time.Duration) {
	s.mu.Lock()
	s.lastSeen, s.frameSeen, s.life.lostAt = s.lastSeen.Add(stood), s.frameSeen.Add(stood), s.life.lostAt.Add(stood)
	if n := s.activity.Load(); n != s.lastActivity || s.conn == nil || s.atWorkLocked() {
		s.lastActivity, s.lastSeen = n, now
	}
	if s.conn != nil && now.Sub(s.lastSeen) >= s.srv.cfg.Idle {
		s.srv.cfg.Logger.Info("connection lost", "remote", s.conn.RemoteAddr().String(), "silent_for", now.Sub(s.lastSeen))
		s.conn.Close()
	}
	if s.conn != nil && s.dawdlesLocked(now) {
		s.srv.stats.refused.Add(1)
		s.srv.cfg.Logger.Info("connection closed: a frame did not arrive in time", "remote", s.conn.RemoteAddr().String(),
			"waited", now.Sub(s.frameSeen))
		s.conn.Close()
	}
	abandoned := s.life.state == detached && now.Sub(s.life.lostAt) >= s.srv.cfg.Resume
	s.mu.Unlock()
	if abandoned {
		s.end()
	}
}

// frameRate is the number of bytes of a long frame that must arrive each second.
const frameRate = 256 << 10

// dawdlesLocked reports whether the client takes too long to complete a frame: what has arrived of it takes memory.
func (s *session) dawdlesLocked(now time.Time) bool {
	frame := s.listening.Load()
	if frame < amid || frame != s.lastFrame {
		s.lastFrame, s.frameSeen = frame, now
		return false
	}
	return now.Sub(s.frameSeen) >= s.srv.cfg.Frame+time.Duration(s.arrived.Load()/frameRate)*time.Second
}

// atWorkLocked reports whether the connection waits for the server.
func (s *session) atWorkLocked() bool {
	return s.reading && !s.flushing && !s.throttled
}
