package client

import (
	"time"

	"github.com/gospaces/gospaces/internal/wire"
)

// A node that hangs, or is cut off, keeps its connections. While calls are in flight, or a registration exists, a link
// looks at intervals whether it has received anything. If not, it sends a Ping; if that is not answered by the next
// look, it suspects the node. A link without calls does nothing.

// listenFor is the time between two looks.
const listenFor = 300 * time.Millisecond

// silence tracks the silence of a link's node. The link's mu guards it.
type silence struct {
	watched bool          // run looks at intervals
	begin   chan struct{} // capacity 1: run is to begin to look
	seen    uint64        // of the link's activity, at the last look
	pinged  bool          // nothing was received before the last look
	suspect bool          // the Ping was not answered
}

func newSilence() silence { return silence{begin: make(chan struct{}, 1)} }

// watch makes run look whether the node answers.
func (s *silence) watch() {
	if !s.watched {
		s.watched = true
		select {
		case s.begin <- struct{}{}:
		default:
		}
	}
}

// listen looks whether anything was received since the last look. It returns false if there is no need to look again.
func (l *link) listen() bool {
	l.mu.Lock()
	s, heard := &l.silence, l.in.activity.Load()
	news := heard != s.seen
	s.seen = heard
	s.suspect = s.pinged && !news
	s.pinged = !news
	s.watched = l.calls.flying.n > 0 || len(l.regs) > 0
	again, suspect := s.watched, s.suspect
	if again && s.pinged && !suspect {
		l.out.post(wire.Ping, 0, nil)
	}
	l.mu.Unlock()
	if suspect && again {
		l.cfg.Logger.Debug("a node is silent", "addr", l.node.addr)
		l.seek()
	}
	return again
}
