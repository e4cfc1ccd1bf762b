package server

import (
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
)

// probe measures one call of a session at a time, about one in sampling, for Config.Took.
type probe struct {
	calls uint32 // owned by the reader; that could have been measured

	// The rest is guarded by the session's mu.
	tagged   uint64  // the call; 0: none
	of       *outlet // which passes its outcome on
	began    time.Time
	answered bool // its outcome is kept back until lsn is durable
	lsn      call.LSN
}

// sampling is how many calls there are for one that is measured.
const sampling = 128

// giveUp is when a call is no longer measured that has ended without an outcome: its opening was reset, for example.
const giveUp = time.Minute

// measure measures a call that is about to be made, if it is time for one.
func (s *session) measure(c *caller, op *wire.Op, tagged uint64) {
	p := &s.probe
	if s.srv.cfg.Took == nil || op.Silent() {
		return
	}
	if p.calls++; p.calls%sampling != 1 {
		return
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.tagged == 0 || now.Sub(p.began) > giveUp {
		p.tagged, p.of, p.began, p.answered = tagged, &c.outlet, now, false
	}
}

// unmeasureLocked gives up on a call that waits for an entry: its time would say nothing about the server.
func (s *session) unmeasureLocked(tagged uint64) {
	if p := &s.probe; p.tagged == tagged {
		p.tagged = 0
	}
}

// repliedLocked says that a call has its outcome.
func (s *session) repliedLocked(tagged uint64, lsn call.LSN, durable bool) {
	if p := &s.probe; p.tagged == tagged && !p.answered {
		p.answered, p.lsn = true, lsn
		if durable {
			s.tookLocked()
		}
	}
}

// durableLocked says that the outcomes of o up to lsn are durable.
func (s *session) durableLocked(o *outlet, lsn call.LSN) {
	if p := &s.probe; p.of == o && p.tagged != 0 && p.answered && p.lsn <= lsn {
		s.tookLocked()
	}
}

func (s *session) tookLocked() {
	p := &s.probe
	s.srv.cfg.Took(wire.OpOf(wire.Type(p.tagged>>56)).Name, time.Since(p.began))
	p.tagged = 0
}
