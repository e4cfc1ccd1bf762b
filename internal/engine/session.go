package engine

import (
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
)

// session holds the outcomes of one client's calls until the client has received them, so that a call whose answer was
// lost can be repeated and takes effect once. It has no record before its first outcome: a client that only reads
// leaves no trace.
type session struct {
	id     uint64
	client call.Client
	logged bool
	lost   uint64 // the highest number of a call whose outcome was dropped before it was received
	kept   outcomes

	all    *sessions
	weighs int64  // bytes that all.bytes counts for this session
	at     int    // place in all.enrolled
	imaged uint16 // the last image that no longer needs it
}

func (s *session) place() *int { return &s.at }

// sessions are the sessions of all clients.
type sessions struct {
	byID     map[uint64]*session
	byClient map[call.Client]*session
	enrolled roll[*session] // all of them
	last     *session       // the most recently used, or nil
	lastID   uint64         // as all identities, it carries the partition
	expired  uint64         // the highest number of a session that ended although its client may come back
	bytes    int64          // bytes of all sessions
}

// OpenSession returns the number of a client's session, and begins one if it has none. before is the number that the
// client was last given, or 0. lost reports that the session of that number has ended meanwhile: the outcomes of its
// calls are unknown. If lost is false and the session is a different one, no call without an answer was executed.
func (e *Engine) OpenSession(client call.Client, before uint64) (id uint64, lost bool) {
	s := e.sessions.byClient[client]
	if s == nil {
		s = e.sessions.add(e.sessions.lastID+1, client)
	}
	return s.id, before != 0 && before != s.id && before <= e.sessions.expired
}

// EndSession ends a session with its outcomes, and aborts its transactions. goodbye means that its client will not ask
// for them; otherwise the client may come back, and OpenSession reports that the session is lost.
func (e *Engine) EndSession(now int64, id uint64, goodbye bool) {
	e.begin(now)
	s := e.sessions.byID[id]
	if s == nil {
		return
	}
	e.endTxnsOf(id, goodbye)
	why := record.Expired
	if goodbye {
		why = record.Cancelled
	}
	if s.logged {
		e.change()
		e.Log = record.AppendEndSession(e.Log, id, why)
	}
	e.keepSession(s)
	e.sessions.end(s, why)
}

// Received drops the outcomes of a session up to the change lsn: its client has received them.
func (e *Engine) Received(now int64, id, lsn uint64) {
	e.begin(now)
	s := e.sessions.byID[id]
	if s == nil {
		return
	}
	if n := s.kept.until(lsn); n > 0 {
		e.keepSession(s)
		e.change()
		e.Log = record.AppendReceived(e.Log, id, uint64(n))
		s.received(n)
	}
}

// Sessions returns the numbers of the sessions that the log knows, in no particular order.
func (e *Engine) Sessions() []uint64 {
	var ids []uint64
	for id, s := range e.sessions.byID {
		if s.logged {
			ids = append(ids, id)
		}
	}
	return ids
}

// AdoptSessions gives e, rebuilt from the log of old, the sessions of old that the log does not know, with the numbers
// that their clients were given.
func (e *Engine) AdoptSessions(old *Engine) {
	for id, s := range old.sessions.byID {
		if e.sessions.byID[id] == nil && e.sessions.byClient[s.client] == nil {
			e.sessions.add(id, s.client)
		}
	}
	e.sessions.lastID = max(e.sessions.lastID, old.sessions.lastID)
}

func newSessions(base uint64) sessions {
	return sessions{byID: map[uint64]*session{}, byClient: map[call.Client]*session{}, lastID: base}
}

func (ss *sessions) add(id uint64, client call.Client) *session {
	s := &session{id: id, client: client, all: ss}
	s.weigh(sessionBytes)
	ss.byID[id], ss.byClient[client] = s, s
	ss.enrolled.add(s)
	ss.lastID = max(ss.lastID, id)
	return s
}

// dropUnlogged forgets the sessions that the log does not know.
func (ss *sessions) dropUnlogged() {
	for _, s := range ss.byID {
		if !s.logged {
			ss.end(s, record.Cancelled)
		}
	}
}

func (ss *sessions) end(s *session, why record.Reason) {
	delete(ss.byID, s.id)
	delete(ss.byClient, s.client)
	ss.enrolled.remove(s)
	s.weigh(0)
	ss.last = nil
	if s.logged && why == record.Expired {
		ss.expired = max(ss.expired, s.id)
	}
}

// weigh updates the total for the current size of s.
func (s *session) weigh(bytes int64) {
	s.all.bytes += bytes - s.weighs
	s.weighs = bytes
}

// find returns a session, or nil.
func (ss *sessions) find(id uint64) *session {
	if ss.last == nil || ss.last.id != id {
		ss.last = ss.byID[id]
	}
	return ss.last
}

// recording returns the session that keeps the outcome of a call, and makes the log know it; nil if the call is not
// repeatable.
func (e *Engine) recording(by call.Request) *session {
	if by.Session == 0 {
		return nil
	}
	s := e.sessions.find(by.Session)
	if s == nil {
		return nil
	}
	if e.keepSession(s); !s.logged {
		s.logged = true
		e.change()
		e.Log = record.AppendSession(e.Log, s.id, s.client[:])
	}
	return s
}

// wrote records that a call has written entries with consecutive identities.
func (e *Engine) wrote(by call.Request, grants []call.Grant) {
	s := e.recording(by)
	if s == nil {
		return
	}
	leases := appendLeases(e.body[:0], grants)
	e.Log = record.AppendWrote(e.Log, s.id, by.Number, grants[0].ID, uint64(len(grants)), leases)
	s.wrote(e.lsn, by.Number, grants[0].ID, uint64(len(grants)), leases)
	e.body = leases
}

// took records that a call takes an entry, which is about to leave the space; more is set if the call has taken another
// before.
func (e *Engine) took(by call.Request, v call.View, more bool) {
	e.change()
	e.Changes.Add(v.ID)
	s := e.recording(by)
	if s == nil {
		e.Log = record.AppendRemove(e.Log, v.ID, v.Kind, record.Taken)
		return
	}
	op := record.Take
	if more {
		op = record.TakeMore
	}
	e.Log = record.AppendTake(e.Log, op, s.id, by.Number, v.ID, v.Kind)
	s.took(e.lsn, by.Number, v, more)
}

// done records the outcome of a call that neither writes nor takes: Grants, Errs, Seq and Version of its result.
func (e *Engine) done(by call.Request, r *call.Result) {
	s := e.recording(by)
	if s == nil {
		return
	}
	e.change()
	e.body = appendOutcome(e.body[:0], r)
	e.Log = record.AppendDone(e.Log, s.id, by.Number, e.body)
	s.keep(e.lsn, isDone, by.Number, e.body)
}

// Recall returns the outcome of an earlier call. found is false if the call was not executed, or changed nothing; it
// may then be executed now. Result: that of the call, or ErrOutcomeUnknown if the outcome was dropped.
func (e *Engine) Recall(now int64, by call.Request) (r call.Result, found bool) {
	e.begin(now)
	s := e.sessions.byID[by.Session]
	if s == nil {
		return failed(call.ErrOutcomeUnknown), true
	}
	first, ok := s.kept.find(by.Number)
	switch {
	case ok && first.sort != isTakeMore:
		e.recall(s, first, &r)
		return r, true
	case ok || by.Number <= s.lost:
		return failed(call.ErrOutcomeUnknown), true
	}
	return r, false
}

// recall decodes an outcome, which may have several parts.
func (e *Engine) recall(s *session, first outcome, r *call.Result) {
	r.Depends = first.lsn
	switch first.sort {
	case isWrite:
		e.grants = first.appendGrants(e.grants)
		r.Grants = e.grants
	case isTake:
		for o, ok := first, true; ok && o.lsn == first.lsn; o, ok = s.kept.at(o.next) {
			if o.number == first.number {
				e.views = append(e.views, o.view())
			}
		}
		r.Entries = e.views
	case isDone:
		e.decodeOutcome(first.body, r)
	}
}

func (e *Engine) applySession(r *record.Record) error {
	if len(r.Body) != len(call.Client{}) {
		return record.ErrCorrupt
	}
	client := call.Client(r.Body)
	if e.sessions.byID[r.ID] != nil || e.sessions.byClient[client] != nil {
		return errPresent
	}
	s := e.sessions.add(r.ID, client)
	s.logged, s.imaged = true, e.images
	return nil
}

// applyOutcome applies a record about an existing session.
func (e *Engine) applyOutcome(r *record.Record) error {
	s := e.sessions.find(r.ID)
	if s == nil {
		return errAbsent
	}
	e.keepSession(s)
	switch r.Op {
	case record.EndSession:
		e.sessions.end(s, r.Reason)
	case record.Wrote:
		if r.Count > e.lastID || r.Entry > e.lastID-r.Count+1 {
			return errAbsent
		}
		s.wrote(e.lsn, r.Number, r.Entry, r.Count, r.Body)
	case record.Done:
		s.keep(e.lsn, isDone, r.Number, r.Body)
	case record.Received:
		if r.Count > uint64(s.kept.n) {
			return errAbsent
		}
		s.received(int(r.Count))
	}
	return nil
}

// applyTake applies the take of an entry, which is still there.
func (e *Engine) applyTake(r *record.Record, v call.View) error {
	s := e.sessions.find(r.ID)
	if s == nil {
		return errAbsent
	}
	e.keepSession(s)
	s.took(e.lsn, r.Number, v, r.Op == record.TakeMore)
	return nil
}
