package server

import "time"

// watch closes connections without a sign of life, and ends sessions to which nobody comes back, until the server is done.
func (s *Server) watch() {
	tick := time.NewTicker(max(s.cfg.Idle/4, time.Millisecond))
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
	abandoned := !s.owned && now.Sub(s.detached) >= s.srv.cfg.Resume
	s.mu.Unlock()
	if abandoned {
		s.end()
	}
}
