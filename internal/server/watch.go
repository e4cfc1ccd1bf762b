package server

import "time"

// watch closes connections without a sign of life, and ends sessions to which nobody comes back, until the server is done.
func (s *Server) watch() {
	tick := time.NewTicker(max(min(s.cfg.Idle, s.cfg.Frame)/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			for _, ss := range s.allSessions() {
				ss.check(now)
			}
		case <-s.done:
			return
		}
	}
}

// check is what watch does with one session.
func (s *session) check(now time.Time) {
	s.mu.Lock()
	if n := s.activity.Load(); n != s.lastActivity || s.conn == nil {
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

// dawdlesLocked reports whether the client has begun a frame and takes too long to complete it: what has arrived of it takes memory.
func (s *session) dawdlesLocked(now time.Time) bool {
	frame := s.listening.Load()
	if frame < amid || frame != s.lastFrame {
		s.lastFrame, s.frameSeen = frame, now
		return false
	}
	return now.Sub(s.frameSeen) >= s.srv.cfg.Frame+time.Duration(s.arrived.Load()/frameRate)*time.Second
}
