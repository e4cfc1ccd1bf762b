package server

import (
	"cmp"
	"fmt"

	"github.com/gospaces/gospaces/internal/budget"
	"github.com/gospaces/gospaces/internal/call"
)

// ClientLimits bound what one client may have at a time. What is beyond is refused with call.ErrSpaceFull. Zero is the
// default, negative no bound.
type ClientLimits struct {
	Waits         int // calls that wait; 0: 100,000
	Registrations int // in one space, that the client listens to; 0: 10,000
	Txns          int // open transactions in one space; 0: 100,000
	Backups       int // 0: 2
}

// SetDefaults replaces zeros.
func (l *ClientLimits) SetDefaults() {
	l.Waits = cmp.Or(l.Waits, 100_000)
	l.Registrations = cmp.Or(l.Registrations, 10_000)
	l.Txns = cmp.Or(l.Txns, 100_000)
	l.Backups = cmp.Or(l.Backups, 2)
}

// tooMany returns an error if a client has as many of something as it may have.
func tooMany(have, limit int, of, setting string) error {
	if limit < 0 || have < limit {
		return nil
	}
	return fmt.Errorf("%w: this client has %d %s, as many as --%s allows", call.ErrSpaceFull, have, of, setting)
}

// What sessions take beside what they count.
const (
	sessionBytes = 32 << 10 // one, with its connection and its goroutines
	waitBytes    = 1 << 10  // a call that waits, with its place in the partition
	filedBytes   = 256      // each further template of one, with its place in the index of calls that wait
)

// chargeLocked charges what the session holds: what is to be sent, and calls that wait.
func (s *session) chargeLocked() {
	if s.backups.over {
		return // what is still sent is not read
	}
	s.charged = s.srv.cfg.Budget.Settle(s.charged, int64(s.out.Cap()+s.held+s.kept))
}

// reserve makes room in the buffer of a connection for n bytes more, or gives room back if n is negative.
func reserve(b *budget.Budget) func(n int) bool {
	return func(n int) bool {
		if n > 0 {
			return b.Reserve(int64(n))
		}
		b.Add(int64(n))
		return true
	}
}
