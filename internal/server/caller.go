package server

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// outlet passes the outcomes of a partition on to the session. It keeps them back until they are durable.
type outlet struct {
	s        *session
	of       *caller      // whose outcomes these are
	later    []byte       // guarded by s.mu; frames that are not durable
	pending  call.Pending // guarded by s.mu; the bytes of later
	receipts receipts     // guarded by s.mu; not used by listeners
}

// emitLocked takes over buf, to which one outcome was appended, as bytes that are ready to be sent or as later.
func (o *outlet) emitLocked(buf []byte, lsn call.LSN, durable bool) {
	if durable {
		o.s.out.Commit(buf)
		o.s.wakeLocked()
	} else {
		n := len(buf) - len(o.later)
		o.later = buf
		o.pending.Add(n, lsn)
		o.s.held += n
	}
	o.s.isFullLocked()
}

// bufferLocked returns the buffer to which an outcome is to be appended.
func (o *outlet) bufferLocked(durable bool) []byte {
	if durable {
		return o.s.out.Buffer()
	}
	return o.later
}

// Durable implements call.Caller.
func (o *outlet) Durable(lsn call.LSN) {
	s := o.s
	s.mu.Lock()
	defer s.mu.Unlock()
	o.receipts.durableUpTo(lsn)
	s.durableLocked(o, lsn)
	if len(o.later) == 0 {
		return
	}
	if o.of.stale.Load() {
		o.failHeldLocked(o.of.inDoubt())
		return
	}
	if n := o.pending.Durable(lsn); n > 0 {
		s.out.Commit(append(s.out.Buffer(), o.later[:n]...))
		o.later = o.later[:copy(o.later, o.later[n:])]
		s.held -= n
	}
	s.room.Broadcast()
	s.wakeLocked()
	if s.lapsed > 0 {
		s.reviveLocked()
	}
}

// Lost implements call.Caller. The partition is about to be rebuilt, with other numbers for what it had not
// stored: the client is asked to open the space again, and to repeat the calls whose outcome only the log will tell.
func (o *outlet) Lost(err error) {
	s := o.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(err, call.ErrOutcomeUnknown) && s.client != (call.Client{}) {
		err = fmt.Errorf("%w: %v", wire.ErrInDoubt, err) // its reason may differ for each call
	}
	o.of.resetLocked()
	o.failHeldLocked(err)
}

// failHeldLocked ends the calls whose outcomes are kept back with err, and drops all else that is kept back.
func (o *outlet) failHeldLocked(err error) {
	s := o.s
	out := s.out.Buffer()
	for rest := o.later; len(rest) > 0; {
		f, size, _, _ := wire.Next(rest, len(rest))
		if f.Type == wire.Answer || f.Type == wire.Failure {
			out = wire.AppendFailure(out, f.ID, err)
		}
		rest = rest[size:]
	}
	s.out.Commit(out)
	s.held -= len(o.later)
	o.later = nil
	o.pending.Drop()
	s.wakeLocked()
	s.room.Broadcast()
}

// caller is a partition that a session has opened. It receives the partition's answers.
type caller struct {
	outlet
	handle  uint64
	at      txn.Address // of the partition
	session uint64      // of the client with the partition; 0: none, it does not repeat calls
	opened  []byte      // the answer to Open
	host    Host
	// the space does not exist: host stands for it until it is created, or this session opens it again
	absent    bool
	volatile  bool                 // host has no log, and does not call Durable
	announced []*template.Schema   // guarded by s.mu; by kind, as the client knows them
	listeners map[uint64]*listener // guarded by s.mu; by registration
	resets    uint64               // of the handle, before it was opened
	// the handle was reset: of all that c is told, only failures of calls are passed on. Set under s.mu, and never
	// cleared: the client opens the space again
	stale atomic.Bool
	left  bool     // owned by the session's writer; the partition has forgotten it
	txns  openTxns // guarded by s.mu

	recalled    call.Grant // guarded by s.mu; of the registration whose Notify was recalled last
	recalledSeq uint64     // guarded by s.mu
}

var _ call.Holder = (*caller)(nil)

// reset is resetLocked for callers that do not hold the lock of the session.
func (c *caller) reset() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.resetLocked()
}

// resetLocked makes the client open the space again. Calls that it has made in the meantime are not executed.
func (c *caller) resetLocked() {
	s := c.s
	if c.stale.Load() {
		return
	}
	c.stale.Store(true)
	s.out.Commit(wire.AppendFrame(s.out.Buffer(), wire.Reset, c.handle, nil))
	s.stale = append(s.stale, c)
	s.wakeWriterLocked()
}

// leaveStale makes partitions forget the callers that were reset, and end their waits. A call that comes to wait later
// sees that its caller is stale.
func (s *session) leaveStale() {
	s.mu.Lock()
	stale := s.stale
	s.stale = nil
	s.mu.Unlock()
	for _, c := range stale {
		c.leave(false)
	}
}

// inDoubt returns the error of a call on a stale handle whose outcome the client has to ask for.
func (c *caller) inDoubt() error {
	if c.s.client == (call.Client{}) {
		return fmt.Errorf("%w: the space is to be opened again", call.ErrOutcomeUnknown)
	}
	return errAskAgain
}

// errAskAgain ends calls whose space is to be opened again, and then asked for their outcomes.
var errAskAgain = fmt.Errorf("%w: the space is to be opened again", wire.ErrInDoubt)

// failure returns the error for the client of a call on a stale handle that has ended with err.
func (c *caller) failure(err error, durable bool) error {
	switch {
	case err == nil, !durable:
		return c.inDoubt()
	case errors.Is(err, call.ErrCancelled):
		return errOpenAgain
	}
	return err
}

// inheritLocked makes c take over what old, which was reset, has begun, unless old was in another space of the same
// name. If the client has a session, the partition knows what it has begun.
func (c *caller) inheritLocked(old *caller) {
	if old != nil && old.host == c.host && c.session == 0 {
		c.txns, old.txns = old.txns, openTxns{}
	}
}

// tag returns the number under which a partition knows a call: the client's number and the operation.
func tag(op wire.Type, callID uint64) uint64 { return uint64(op)<<56 | callID }

// Reply implements call.Caller.
func (c *caller) Reply(tagged uint64, r *call.Result, lsn call.LSN, durable bool) {
	op, callID := wire.Type(tagged>>56), tagged&wire.MaxCall
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if durable && c.volatile {
		c.receipts.durableUpTo(lsn)
	}
	if op&opRecalled != 0 {
		c.recallLocked(op&^opRecalled, callID, r, lsn, durable)
		return
	}
	var q *find
	err := r.Err
	switch op {
	case wire.Find, wire.Count:
		if q, err = s.settleLocked(callID, err); q == nil {
			return
		}
	case wire.Commit, wire.Abort:
		c.txns.settle(callID, err)
	case wire.BeginTxn:
		if err == nil {
			c.txns.add(r.Grants[0].ID, r.Grants[0].Granted)
		}
	case wire.Renew:
		c.txns.renewed(r.Grants)
	}
	if c.stale.Load() {
		c.failLocked(callID, c.failure(err, durable))
		return
	}
	if err == nil {
		c.announceLocked(op, r)
	} else if errors.Is(err, call.ErrUnknownKind) {
		c.announceDroppedLocked()
	}
	buf := c.bufferLocked(durable)
	switch {
	case err != nil && (q == nil || !q.Hidden || !errors.Is(err, call.ErrNoMatch)):
		buf = wire.AppendFailure(buf, callID, err)
		if errors.Is(err, call.ErrElsewhere) || errors.Is(err, call.ErrNotReady) {
			defer c.resetLocked() // Lookup knows which node serves it now
		}
	default:
		if q != nil && q.Begin {
			c.begunLocked(q, r)
		}
		buf = wire.OpOf(op).AppendAnswer(buf, callID, r)
	}
	c.emitLocked(buf, lsn, durable)
	s.repliedLocked(tagged, lsn, durable)
}

// recallLocked passes on the earlier outcome of a repeated call.
func (c *caller) recallLocked(op wire.Type, callID uint64, r *call.Result, lsn call.LSN, durable bool) {
	if c.stale.Load() {
		c.failLocked(callID, c.failure(r.Err, durable))
		return
	}
	buf := c.bufferLocked(durable)
	if r.Err != nil {
		c.emitLocked(wire.AppendFailure(buf, callID, r.Err), lsn, durable)
		return
	}
	c.announceLocked(op, r)
	buf = c.bufferLocked(durable)
	if op == wire.Notify {
		c.recalled, c.recalledSeq = r.Grants[0], r.Seq
	}
	c.emitLocked(wire.OpOf(op).AppendAnswer(buf, callID, r), lsn, durable)
}

// failLocked ends a call with an error.
func (c *caller) failLocked(callID uint64, err error) {
	c.emitLocked(wire.AppendFailure(c.s.out.Buffer(), callID, err), 0, true)
}

// Event implements call.Caller; events go to listeners.
func (c *caller) Event(*call.Event, call.LSN, bool) bool { return false }

// announceLocked sends the schemas that the client needs to decode r and does not have. They go out at once, ahead of
// all outcomes that are kept back, and so ahead of any that needs them.
func (c *caller) announceLocked(op wire.Type, r *call.Result) {
	switch op {
	case wire.Register, wire.Schema:
		c.announceKindLocked(call.KindID(r.Count))
	case wire.Kinds:
		for i, n := range r.Counts {
			if n >= 0 {
				c.announceKindLocked(call.KindID(i + 1))
			}
		}
	default:
		for i := range r.Entries {
			c.announceKindLocked(r.Entries[i].Kind)
		}
	}
}

// begunLocked notes the transactions that a Find has begun, and completes its result.
func (c *caller) begunLocked(q *find, r *call.Result) {
	if !q.since.IsZero() {
		r.Waited = time.Since(q.since)
	}
	for _, g := range r.Grants {
		c.txns.add(g.ID, g.Granted)
	}
}
