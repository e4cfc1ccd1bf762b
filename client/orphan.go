package client

import (
	"context"
	"errors"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// orphan is a call that was sent and abandoned before its outcome came. When the outcome comes it is kept for callers
// of Space.Outcome, and what the call has begun is ended: a transaction, a registration or a backup without a caller
// would last as long as its lease or its session.
type orphan struct {
	part     *part
	op       wire.Type
	begin    bool         // it begins transactions
	number   uint64       // of the call
	frame    uint64       // guarded by the link's mu; of its frame, 0 once the space is asked
	id       space.CallID // zero: its outcome cannot be asked for
	born     uint64       // as in the call
	end      uint64
	repeated bool

	// guarded by the link's mu; the space is being asked, in one session after the other, and end is irrelevant
	asking  bool
	body    []byte // guarded by the link's mu; of the answer, as far as it has come
	size    int    // guarded by the link's mu; of the answer
	done    chan struct{}
	verdict space.Verdict // set before done is closed
}

// maxOrphans and maxOrphanBytes limit what a link keeps of abandoned calls; the oldest are dropped first.
const (
	maxOrphans     = 1 << 10
	maxOrphanBytes = 16 << 20
)

// orphans are the abandoned calls of a link. The link's mu guards them.
type orphans struct {
	byFrame map[uint64]*orphan // those whose answers may come
	order   []*orphan          // all; oldest first
	bytes   int                // of their answers
}

func (os *orphans) add(o *orphan) {
	if os.byFrame == nil {
		os.byFrame = map[uint64]*orphan{}
	}
	os.byFrame[o.frame] = o
	os.order = append(os.order, o)
	os.trim()
}

// received adds to the answer of o.
func (os *orphans) received(o *orphan, body []byte) {
	o.body = append(o.body, body...)
	o.size += len(body)
	os.bytes += len(body)
	os.trim()
}

// trim drops the oldest beyond the limits, first those whose outcomes have come.
func (os *orphans) trim() {
	for len(os.order) > maxOrphans || os.bytes > maxOrphanBytes && len(os.order) > 1 {
		i := max(0, slices.IndexFunc(os.order, func(o *orphan) bool { return !o.pending() }))
		o := os.order[i]
		if o.pending() {
			o.conclude(space.Verdict{})
		}
		os.remove(o)
	}
}

func (os *orphans) remove(o *orphan) {
	if i := slices.Index(os.order, o); i >= 0 {
		os.expectNone(o)
		os.bytes -= o.size
		os.order = slices.Delete(os.order, i, i+1)
	}
}

// expectNone records that no answer to o is expected any more.
func (os *orphans) expectNone(o *orphan) {
	delete(os.byFrame, o.frame)
	o.frame = 0
}

// wanted reports whether the outcome of one that can be asked for has not come.
func (os *orphans) wanted() bool {
	return slices.ContainsFunc(os.order, func(o *orphan) bool { return o.pending() && !o.id.IsZero() })
}

// outlives reports whether the effect of c matters when no caller waits for it any more. The outcome of a commit is
// that of its transaction.
func (c *pendingCall) outlives() bool {
	return c.entry().Leaves() || c.query.Begin || c.recorded() && c.op != wire.Commit
}

// orphanLocked records that c, which is in flight or is to be repeated, was abandoned.
func (l *link) orphanLocked(c *pendingCall) *orphan {
	o := &orphan{
		part: c.part, op: c.op, begin: c.query.Begin, number: c.number, frame: c.frame, born: c.born, end: c.end,
		repeated: c.repeated, done: make(chan struct{}),
	}
	if c.recorded() && c.op != wire.Notify {
		o.id = l.identityLocked(c)
	}
	l.calls.orphans.add(o)
	l.calls.orphans.received(o, c.body)
	return o
}

// identityLocked returns the identity of a call whose outcome the space keeps; zero if the client has no identity
// there.
func (l *link) identityLocked(c *pendingCall) space.CallID {
	if session := l.session.of(c.part).session; session != 0 && c.number != 0 {
		return space.CallID{Space: c.part.at.Space, Session: session, Number: c.number}
	}
	return space.CallID{}
}

// begins reports whether o begins transactions.
func (o *orphan) begins() bool { return o.begin || o.op == wire.BeginTxn }

// pending reports whether the outcome of o has not come.
func (o *orphan) pending() bool {
	select {
	case <-o.done:
		return false
	default:
		return true
	}
}

// conclude sets the outcome of o.
func (o *orphan) conclude(v space.Verdict) {
	o.verdict = v
	close(o.done)
}

// await returns the outcome of o once it is known. It returns ctx's error if ctx ends first.
func (o *orphan) await(ctx context.Context) (space.Verdict, error) {
	select {
	case <-o.done:
		return o.verdict, nil
	case <-ctx.Done():
		return space.Verdict{Fate: space.Undecided}, ctx.Err()
	}
}

// lateLocked handles the last frame of the answer to an orphan.
func (l *link) lateLocked(o *orphan, f wire.Frame) {
	if f.Type == wire.Failure && inDoubt(f.Body) {
		switch {
		case l.asksFor(o):
			l.askLocked(o)
			return
		case o.begins():
			l.unclaimedLocked(o.part, o.number)
			l.reopenLocked()
		}
	}
	c := &pendingCall{
		asked: new(asked),
		part:  o.part, op: o.op, take: true, failed: f.Type == wire.Failure,
		schemas: l.session.view(o.part).schemas,
	}
	c.query.Begin = o.begin
	if !c.failed {
		l.calls.orphans.received(o, f.Body)
		c.body = append(c.body, o.body...)
	} else {
		c.body = append(c.body, f.Body...)
	}
	l.settleOrphanLocked(o, c, c.outcome())
}

// settleOrphanLocked ends an orphan with err and the outcome of c, which is the orphan itself or the call that asked
// for it.
func (l *link) settleOrphanLocked(o *orphan, c *pendingCall, err error) {
	if !o.pending() {
		return
	}
	o.conclude(l.verdictLocked(o, c, err))
	o.body = nil
	if o.id.IsZero() {
		l.calls.orphans.remove(o)
	}
}

// verdictLocked returns the outcome of o, and ends what it began.
func (l *link) verdictLocked(o *orphan, c *pendingCall, err error) (v space.Verdict) {
	switch {
	case err == nil:
	case errors.Is(err, space.ErrOutcomeUnknown), errors.Is(err, wire.ErrInDoubt), err == errLost:
		return v
	default:
		return space.Verdict{Fate: space.Aborted}
	}
	r, err := c.result()
	if err != nil {
		return v
	}
	if l.undoBegunLocked(o, r) {
		return space.Verdict{Fate: space.Aborted}
	}
	v, _ = c.verdict(r, space.Committed)
	return v
}

// undoBegunLocked ends what o has begun. It returns false if o begins nothing.
func (l *link) undoBegunLocked(o *orphan, r *call.Result) bool {
	switch {
	case o.begins():
		for _, g := range r.Grants {
			l.abortLocked(o.part, g.ID)
		}
	case o.op == wire.Notify:
		id := space.LeaseID(r.Grants[0].ID)
		l.undoLocked(o.part, wire.Cancel, func(c *pendingCall) { c.ids = []space.LeaseID{id} })
	case o.op == wire.Backup:
		id := r.Report.ID
		l.undoLocked(o.part, wire.EndBackup, func(c *pendingCall) { c.id = id })
	default:
		return false
	}
	return true
}

func (l *link) abortLocked(s *part, number uint64) {
	l.undoLocked(s, wire.Abort, func(c *pendingCall) { c.txn = txn.ID{Space: s.at.Space, Number: number} })
}

// undoLocked makes a call that ends what an orphan has begun. If the session ends first, the server has ended it.
func (l *link) undoLocked(s *part, op wire.Type, fill func(*pendingCall)) {
	l.life.start(func() {
		ctx, cancel := l.life.context()
		defer cancel()
		c := newCall(s, op)
		defer c.free()
		c.lane, c.posthumous = l.lane, true
		if op == wire.EndBackup {
			c.link = l
		}
		fill(c)
		_ = s.client.do(ctx, c) // no caller waits for the error
	})
}

// asksFor reports whether the space can be asked for the outcome of o.
func (l *link) asksFor(o *orphan) bool {
	return l.session.repeats && (!o.id.IsZero() || o.op == wire.Notify)
}

// askLocked asks the space for the outcome of an orphan whose session is gone. Until then the server must keep
// outcomes.
func (l *link) askLocked(o *orphan) {
	o.asking = true
	l.calls.orphans.expectNone(o)
	l.calls.owed.add(1)
	if !l.life.start(func() { l.ask(o) }) {
		l.calls.owed.add(-1)
	}
}

func (l *link) ask(o *orphan) {
	ctx, cancel := l.life.context()
	defer cancel()
	c := newCall(o.part, o.op)
	defer c.free()
	c.number, c.born, c.take, c.owing, c.posthumous = o.number, o.born, true, true, true
	err := o.part.client.repeat(ctx, l, c)
	l.mu.Lock()
	defer l.mu.Unlock()
	o.asking = false
	l.settleOrphanLocked(o, c, err)
}

// orphansLostLocked follows the end of a session, for s or, if it is nil, all spaces: it asks in the next session for
// abandoned calls where possible; what others have begun is ended by the server. sent is how much of the stream was
// sent.
func (l *link) orphansLostLocked(s *part, sent uint64) {
	for _, o := range slices.Clone(l.calls.orphans.order) {
		if !o.pending() || o.asking || s != nil && o.part != s {
			continue
		}
		l.calls.orphans.bytes -= o.size
		o.body, o.size = nil, 0
		switch {
		case !o.repeated && o.end > sent:
			l.settleOrphanLocked(o, nil, call.ErrCancelled)
		case l.asksFor(o):
			l.askLocked(o)
		case o.begins() || o.op == wire.Backup:
			if o.begins() {
				l.unclaimedLocked(o.part, o.number)
			}
			l.settleOrphanLocked(o, nil, call.ErrCancelled)
		default:
			l.settleOrphanLocked(o, nil, space.ErrOutcomeUnknown)
		}
	}
}

// endOrphans releases callers that wait for outcomes.
func (l *link) endOrphans() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range slices.Clone(l.calls.orphans.order) {
		l.settleOrphanLocked(o, nil, space.ErrOutcomeUnknown)
	}
}

// orphan returns the abandoned call of that identity, or nil.
func (l *link) orphan(id space.CallID) *orphan {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.calls.orphans.order {
		if o.id == id {
			return o
		}
	}
	return nil
}
