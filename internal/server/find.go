package server

import (
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
)

// find is a Find or a Count in progress: the query must stay as it is until the partition has replied.
type find struct {
	wire.Query
	op       wire.Type
	caller   *caller
	call     uint64
	patient  bool      // it waits for a match
	deadline time.Time // when a wait for a time ends
	since    time.Time // when a find came that may wait before it begins transactions
	weighs   int       // the bytes charged while it is filed
	cramped  bool      // it would wait, but there is no memory for that

	// Guarded by the session's mu.
	replied   bool // while it is the one being issued
	cancelled bool // by the client
	parked    bool // taken back from the partition until the client returns
}

// keptQuery is the largest query whose memory is kept for the next one.
const keptQuery = 64 << 10

// find passes a Find on, which was decoded into the session's scratch.
func (c *caller) find(callID uint64, a *call.Ask) error {
	s, wait := c.s, a.Wait
	q := s.scratch
	if q.Begin {
		q.Holder = s.holder
	}
	q.op, q.caller, q.call, q.patient, q.deadline, q.since = wire.Find, c, callID, wait != 0, time.Time{}, time.Time{}
	if wait > 0 {
		q.deadline = time.Now().Add(wait)
	}
	if q.Begin && wait != 0 {
		q.since = time.Now()
	}
	return s.begin(q, wait)
}

// count passes a Count on, likewise.
func (c *caller) count(callID uint64, _ *call.Ask) error {
	s := c.s
	q := s.scratch
	q.op, q.caller, q.call, q.patient, q.deadline, q.since = wire.Count, c, callID, false, time.Time{}, time.Time{}
	return s.begin(q, 0)
}

// begin issues s.scratch, which was decoded.
func (s *session) begin(q *find, wait time.Duration) error {
	wait, reserved, err := s.reserve(q, wait)
	if err != nil {
		return s.fail(q.call, err)
	}
	defer s.srv.cfg.Budget.Add(-reserved) // by then it is filed, or has its reply
	s.mu.Lock()
	err = s.admitLocked(q, wait)
	if err == nil {
		s.beginLocked(q)
	}
	s.mu.Unlock()
	if errors.Is(err, wire.ErrMalformed) {
		return err
	}
	if err != nil {
		return s.fail(q.call, err)
	}
	if !s.issue(q, wait) || q.Size() > keptQuery {
		s.scratch = s.newFind()
	}
	return nil
}

// admitLocked returns nil if a find with that number may be issued; ErrMalformed for a number that is in use.
func (s *session) admitLocked(q *find, wait time.Duration) error {
	if q.Begin {
		if err := q.caller.roomForTxnLocked(); err != nil {
			return err
		}
	}
	if s.life.state == leaving && wait != 0 {
		return wire.ErrInterrupted
	}
	if len(s.waiting) == 0 {
		return nil
	}
	if s.waiting[q.call] != nil {
		return fmt.Errorf("%w: call %d is waiting already", wire.ErrMalformed, q.call)
	}
	return tooMany(len(s.waiting), s.srv.cfg.Client.Waits, "calls that wait", "max-client-waits")
}

// reserve makes room for a query. If there is no room for it to wait, it is served if that is possible at once, and
// refused otherwise; a large query for which there is no room at all is refused. The bytes of a large query are
// reserved now, since many may come at the same time; a small one is charged when it waits.
func (s *session) reserve(q *find, wait time.Duration) (granted time.Duration, reserved int64, err error) {
	b := s.srv.cfg.Budget
	size := int64(q.Size())
	q.cramped = false
	switch large := size > keptQuery; {
	case !large && (wait == 0 || !b.Tight()):
		return wait, 0, nil
	case large && wait != 0 && b.Keep(size):
		return wait, size, nil
	case large && !b.Reserve(size):
		return 0, 0, b.Refuse(call.ErrSpaceFull)
	case !large:
		size = 0
	}
	q.cramped = wait != 0
	return 0, size, nil
}

// cramped returns the error of a find that has ended with err: one that was not allowed to wait was refused.
func (s *session) cramped(q *find, err error) error {
	if q.cramped && errors.Is(err, call.ErrNoMatch) {
		return s.srv.cfg.Budget.Refuse(call.ErrSpaceFull)
	}
	return err
}

// issue hands q, with which beginLocked has begun, to its partition. It reports whether q has its reply and may be used
// again; otherwise q is filed as one that waits.
func (s *session) issue(q *find, wait time.Duration) (replied bool) {
	callID := tag(q.op, q.call)
	a := &s.ask
	a.Op, a.Query, a.Wait = call.Op(q.op), &q.Query.Query, wait
	q.caller.host.Do(q.caller, callID, a)

	s.mu.Lock()
	s.issuing = nil
	replied = q.replied
	if !replied {
		s.fileLocked(q)
		s.unmeasureLocked(callID)
	}
	c := q.caller
	late := !replied && (s.life.state == leaving || c.stale.Load())
	s.mu.Unlock()
	if late { // the server began to shut down meanwhile, or the handle was reset, before this find was filed
		c.host.CancelWait(c, callID)
	}
	return replied
}

// remaining returns the rest of q's wait.
func (q *find) remaining() time.Duration {
	switch {
	case !q.patient:
		return 0
	case q.deadline.IsZero():
		return wire.WaitForever
	}
	return max(0, time.Until(q.deadline))
}
