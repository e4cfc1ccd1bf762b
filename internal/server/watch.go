package server

import "time"

// watch closes connections without a sign of life, and ends sessions to which no client comes back, until the server is
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

// standstill returns for how long the server has not run since it looked the last time, which it does every so often:
// then it could not have heard of a client.
func standstill(last, now time.Time, every time.Duration) time.Duration {
	return max(0, now.Sub(last)-2*every)
}

// check is what watch does with one session. stood is how long the server has stood still since the last time: that is
// no silence of the client.
func (s *session) check(now time.Time, stood time.Duration) {
	s.mu.Lock()
	s.lastSeen, s.frameSeen, s.detached = s.lastSeen.Add(stood), s.frameSeen.Add(stood), s.detached.Add(stood)
	if n := s.activity.Load(); n != s.lastActivity || s.conn == nil || s.atWorkLocked() {
		s.lastActivity, s.lastSeen = n, now
	}
	if s.conn != nil && now.Sub(s.lastSeen) >= s.srv.cfg.Idle {
		s.srv.cfg.Logger.Info("connection lost", "remote", s.conn.RemoteAddr().String(), "silent_for", now.Sub(s.lastSeen))
		s.conn.Close()
	}
	if s.conn != nil && s.dawdlesLocked(now) {
		s.srv.stats.refused.Add(1)
		s.srv.cfg.Logger.Info("connection closed: a frame did not arrive in time", "remote", s.conn.RemoteAddr().String(), "waited", now.Sub(s.frameSeen))
		s.conn.Close()
	}
	abandoned := !s.owned && now.Sub(s.detached) >= s.srv.cfg.Resume
	s.mu.Unlock()
	if abandoned {
		s.end()
	}
}

// frameRate is how many bytes of a long frame must arrive in a second.
const frameRate = 256 << 10

// dawdlesLocked reports whether the client has begun a frame and takes too long to complete it: what has arrived of it
// takes memory.
func (s *session) dawdlesLocked(now time.Time) bool {
	frame := s.listening.Load()
	if frame < amid || frame != s.lastFrame {
		s.lastFrame, s.frameSeen = frame, now
		return false
	}
	return now.Sub(s.frameSeen) >= s.srv.cfg.Frame+time.Duration(s.arrived.Load()/frameRate)*time.Second
}

// atWorkLocked reports whether it is the server that the connection waits for.
func (s *session) atWorkLocked() bool {
	return s.reading && !s.flushing && !s.throttled
}
