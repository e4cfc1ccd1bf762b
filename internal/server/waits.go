package server

import (
	"cmp"
	"errors"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
)

// waits are the finds and counts of a session without a reply. One is issued to its host by the goroutine that owns the
// session; unless it has its reply by then it is filed. While the client is away it is parked: taken back from its
// host, and issued again when the client returns.
//
// The lock of the session guards it.
type waits struct {
	issuing *find            // being handed to its host
	waiting map[uint64]*find // by call
	spare   []*find
	kept    int  // bytes of the calls in waiting and spare
	recall  bool // the writer is to interrupt all that wait
}

// spareQuery is the largest query whose memory is kept after a wait, for up to maxSpare of them.
const (
	spareQuery = 4 << 10
	maxSpare   = 1024
)

func (s *session) beginLocked(q *find) {
	q.replied, q.cancelled, q.parked = false, false, false
	s.issuing = q
}

// fileLocked files q as a call that waits.
func (s *session) fileLocked(q *find) {
	q.weighs = waitBytes + q.Size() + (len(q.Templates)-1)*filedBytes
	s.kept += q.weighs
	s.waiting[q.call] = q
	s.chargeLocked()
}

// unfileLocked removes q from the calls that wait.
func (s *session) unfileLocked(q *find) {
	delete(s.waiting, q.call)
	s.kept -= q.weighs
	q.weighs = 0
	s.chargeLocked()
}

// settleLocked ends a find or a count to which the partition has replied with err. It returns the find, which is valid
// only while the session is locked, and the error for the client; or nil if the client is not told, because the find is
// issued again when the client is back.
func (s *session) settleLocked(callID uint64, err error) (*find, error) {
	if q := s.issuing; q != nil && q.call == callID {
		q.replied = true
		return q, s.cramped(q, err)
	}
	q := s.waiting[callID]
	if q == nil {
		return nil, nil // no caller waits for it
	}
	interrupted := errors.Is(err, call.ErrCancelled) && !q.cancelled
	if interrupted && s.conn == nil && !s.life.overLocked() {
		q.parked = true
		return nil, nil
	}
	s.unfileLocked(q)
	if size := q.Size(); size <= spareQuery && len(s.spare) < maxSpare {
		s.spare = append(s.spare, q)
		s.kept += size
	}
	if interrupted {
		err = wire.ErrInterrupted
	}
	return q, s.cramped(q, err)
}

func (s *session) newFind() *find {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.spare); n > 0 {
		q := s.spare[n-1]
		s.spare = s.spare[:n-1]
		s.kept -= q.Size()
		return q
	}
	return new(find)
}

// cancelWait ends a call whose outcome the client does not want any more.
func (s *session) cancelWait(callID uint64) {
	var c *caller
	s.mu.Lock()
	if q := s.waiting[callID]; q != nil {
		q.cancelled = true
		c, callID = q.caller, tag(q.op, callID)
	}
	s.mu.Unlock()
	if c != nil {
		c.host.CancelWait(c, callID)
	}
}

// interruptWaits takes all calls that wait, or take long, back from their partitions.
func (s *session) interruptWaits() {
	type wait struct {
		c    *caller
		call uint64
	}
	s.mu.Lock()
	waits := make([]wait, 0, len(s.waiting))
	for callID, q := range s.waiting {
		waits = append(waits, wait{q.caller, tag(q.op, callID)})
	}
	s.mu.Unlock()
	for _, w := range waits {
		w.c.host.CancelWait(w.c, w.call)
	}
}

// resumeWaits issues the parked finds again, in the order in which the client made them.
func (s *session) resumeWaits() {
	s.mu.Lock()
	var parked []*find
	for _, q := range s.waiting {
		if q.parked {
			parked = append(parked, q)
			s.unfileLocked(q)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(parked, func(a, b *find) int { return cmp.Compare(a.call, b.call) })
	for _, q := range parked {
		if q.caller.stale.Load() {
			_ = s.fail(q.call, wire.ErrInterrupted) // it only queues
			continue
		}
		s.mu.Lock()
		s.beginLocked(q)
		s.mu.Unlock()
		s.issue(q, q.remaining())
	}
}

// recalled reports whether the writer is to interrupt the calls that wait, once.
func (s *session) recalled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	recalled := s.recall
	s.recall = false
	return recalled
}
