package server

import (
	"cmp"
	"fmt"

	"github.com/gospaces/gospaces/internal/budget"
	"github.com/gospaces/gospaces/internal/call"
)

// ClientLimits bounds the resources of one client. Beyond a limit, calls fail with call.ErrSpaceFull. Zero is the
// default, a negative number no bound.
type ClientLimits struct {
	Waits         int // calls that wait; 0: 100,000
	Registrations int // in one space, with listeners of the client; 0: 10,000
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

// tooMany returns an error if a client has reached the limit of something.
func tooMany(have, limit int, of, setting string) error {
	if limit < 0 || have < limit {
		return nil
	}
	return fmt.Errorf("%w: this client has %d %s, as many as --%s allows", call.ErrSpaceFull, have, of, setting)
}

// The memory of sessions, besides the buffers that they charge.
const (
	sessionBytes = 32 << 10 // one, with its connection and its goroutines
	waitBytes    = 1 << 10  // a call that waits, with its place in the partition
	filedBytes   = 256      // each further template of a wait, with its place in the index of waits
)

// chargeLocked charges the memory of the session: unsent bytes, and calls that wait.
func (s *session) chargeLocked() {
	if s.backups.over {
		return // unsent bytes will not be read
	}
	s.charged = s.srv.cfg.Budget.Settle(s.charged, int64(s.out.Cap()+s.held+s.kept))
}

// reserve charges n more bytes for the buffer of a connection, or releases bytes if n is negative.
func reserve(b *budget.Budget) func(n int) bool {
	return func(n int) bool {
		if n > 0 {
			return b.Reserve(int64(n))
		}
		b.Add(int64(n))
		return true
	}
}
