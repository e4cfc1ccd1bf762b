package server

import "sync/atomic"

// Stats describes a server, with counts since its start.
type Stats struct {
	Connections int    // that are open
	Sessions    int    // of clients that are connected or may come back
	Frames      uint64 // received
	BytesIn     uint64
	BytesOut    uint64
	Refused     uint64 // connections that violated the protocol or exceeded a limit
	Resumed     uint64 // sessions that were resumed over another connection
}

type counters struct {
	frames, bytesIn, bytesOut, refused, resumed atomic.Uint64
}

// Stats returns the present numbers.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	conns, sessions := len(s.conns), len(s.sessions)
	s.mu.Unlock()
	return Stats{
		Connections: conns, Sessions: sessions,
		Frames: s.stats.frames.Load(), BytesIn: s.stats.bytesIn.Load(), BytesOut: s.stats.bytesOut.Load(),
		Refused: s.stats.refused.Load(), Resumed: s.stats.resumed.Load(),
	}
}
