package engine

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
)

// scene is an engine with stones, and the operations of tests. Stones are named by their ages.
type scene struct {
	t   *testing.T
	e   *Engine
	now int64
}

// tx0 is no transaction.
const tx0 = uint64(0)

// second is a second.
const second = int64(1e9)

func newScene(t *testing.T) *scene { return &scene{t: t, e: newTestEngine(t), now: second} }

func (s *scene) begin() uint64 {
	s.t.Helper()
	return s.beginFor(call.Forever)
}

func (s *scene) beginFor(lease int64) uint64 {
	s.t.Helper()
	r := s.e.Begin(s.now, lease, call.Request{}, "")
	require.NoError(s.t, r.Err)
	return r.Grants[0].ID
}

func stoneRow(age int) template.Row {
	v := template.AppendInt(nil, int64(age))
	return append(template.Row{byte(len(v))}, v...)
}

// ages returns the ages of stones.
func ages(vs []call.View) []int {
	got := []int{}
	for _, v := range vs {
		for age := -1; ; age++ {
			if string(v.Row) == string(stoneRow(age)) {
				got = append(got, age)
				break
			}
		}
	}
	return got
}

func draft(age int) call.Draft {
	return call.Draft{Kind: stoneKind, Row: stoneRow(age), Lease: call.Forever}
}

// write writes stones and returns the identity of the last.
func (s *scene) write(t uint64, ages ...int) uint64 {
	s.t.Helper()
	var drafts []call.Draft
	for _, age := range ages {
		drafts = append(drafts, draft(age))
	}
	return s.writeDrafts(t, drafts...)
}

func (s *scene) writeDrafts(t uint64, drafts ...call.Draft) uint64 {
	s.t.Helper()
	r := s.e.Write(s.now, under(t), call.Request{}, drafts)
	require.NoError(s.t, r.Err)
	return r.Grants[len(drafts)-1].ID
}

func (s *scene) commit(t uint64, drafts ...call.Draft) {
	s.t.Helper()
	require.NoError(s.t, s.e.Commit(s.now, under(t), call.Request{}, drafts).Err)
}

func (s *scene) abort(t uint64) {
	s.t.Helper()
	require.NoError(s.t, s.e.Abort(s.now, under(t)).Err)
}

func (s *scene) rollback(t uint64, keep ...uint64) {
	s.t.Helper()
	require.NoError(s.t, s.e.Rollback(s.now, under(t), keep).Err)
}

func (s *scene) cancel(id uint64) {
	s.t.Helper()
	require.NoError(s.t, s.e.Cancel(s.now, call.Request{}, []uint64{id}).Errs[0])
}

// pass advances time, and calls the engine.
func (s *scene) pass(d int64) {
	s.now += d
	s.e.Expire(s.now)
}

// read and take return queries for any stone, or for those of one age.
func read(t uint64, age ...int) *call.Query {
	q := &call.Query{Templates: []call.Template{{Kind: stoneKind}}, Max: 1, Txn: under(t)}
	for _, a := range age {
		q.Templates[0].Conds = append(q.Templates[0].Conds,
			template.Cond{Field: 0, Op: template.Eq, Value: template.AppendInt(nil, int64(a))})
	}
	return q
}

func take(t uint64, age ...int) *call.Query {
	q := read(t, age...)
	q.Take = true
	return q
}

func ifExists(q *call.Query) *call.Query {
	q.IfExists = true
	return q
}

func upTo(n int, q *call.Query) *call.Query {
	q.Max = n
	return q
}

// result of a call.
type result string

const (
	ok       result = "ok"
	none     result = "none"
	conflict result = "conflict" // others have locked every match
	ended    result = "transaction ended"
)

// find makes a call that does not wait. Its result is a conflict if an IfExists call would wait.
func (s *scene) find(q *call.Query) result {
	s.t.Helper()
	r := s.e.Find(s.now, q)
	switch r.Err {
	case nil:
		return ok
	case call.ErrTxnEnded:
		return ended
	}
	require.ErrorIs(s.t, r.Err, call.ErrNoMatch)
	if w := s.e.Park(ifExists(q), nil); w != nil {
		require.True(s.t, s.e.Unpark(w))
		return conflict
	}
	return none
}

// found returns the ages of the stones that a call finds without waiting.
func (s *scene) found(q *call.Query) []int {
	s.t.Helper()
	r := s.e.Find(s.now, q)
	if r.Err != nil {
		require.ErrorIs(s.t, r.Err, call.ErrNoMatch)
	}
	return ages(r.Entries)
}

// condition is the state of a stone for transactions that have not locked it.
type condition string

const (
	isFree     condition = "free"
	readLocked condition = "read-locked"
	hidden     condition = "hidden" // written, changed or taken by a transaction
	gone       condition = "gone"
)

// state returns the condition of the stone of an age, of which there must be at most one, and changes nothing.
func (s *scene) state(age int) condition {
	s.t.Helper()
	probe := s.begin()
	defer s.abort(probe)
	switch s.find(take(probe, age)) {
	case ok:
		return isFree
	case none:
		return gone
	}
	if s.find(read(tx0, age)) == ok {
		return readLocked
	}
	return hidden
}

// wait makes a call wait that finds nothing.
func (s *scene) wait(q *call.Query) *Waiter {
	s.t.Helper()
	require.ErrorIs(s.t, s.e.Find(s.now, q).Err, call.ErrNoMatch)
	w := s.e.Park(q, nil)
	require.NotNil(s.t, w, "there is nothing to wait for")
	return w
}

// requireServed requires that the last call has served w with stones of these ages.
func (s *scene) requireServed(w *Waiter, want ...int) {
	s.t.Helper()
	require.Contains(s.t, s.e.Granted, w)
	require.NoError(s.t, w.Err)
	require.Equal(s.t, want, ages(w.Got))
	require.False(s.t, s.e.Unpark(w))
}

// requireEnded requires that the last call has ended the wait of w with err.
func (s *scene) requireEnded(w *Waiter, err error) {
	s.t.Helper()
	require.Contains(s.t, s.e.Granted, w)
	require.Equal(s.t, err, w.Err)
	require.Empty(s.t, w.Got)
	require.False(s.t, s.e.Unpark(w))
}

// requireWaiting requires that w still waits.
func (s *scene) requireWaiting(w *Waiter) {
	s.t.Helper()
	require.NotContains(s.t, s.e.Granted, w)
	require.True(s.t, w.parked)
}

// notify registers for events about all stones, once for each type: a registration gets one event for everything that
// happens at once.
func (s *scene) notify(t uint64, types ...call.EventType) []uint64 {
	s.t.Helper()
	var ids []uint64
	for _, typ := range types {
		r := s.e.Notify(s.now, read(t), call.Events(typ), call.Forever)
		require.NoError(s.t, r.Err)
		ids = append(ids, r.Grants[0].ID)
	}
	return ids
}

// event is a type of event, and the age of a stone.
type event struct {
	typ call.EventType
	age int
}

// requireEvents requires these events of the registrations from the last call, in any order.
func (s *scene) requireEvents(registrations []uint64, want ...event) {
	s.t.Helper()
	got := []event{}
	for _, ev := range s.e.Events {
		if slices.Contains(registrations, ev.Registration) {
			got = append(got, event{ev.Type, ages([]call.View{ev.Entry})[0]})
		}
	}
	require.ElementsMatch(s.t, want, got)
}

// restarted returns the scene after a crash.
func (s *scene) restarted() *scene {
	s.t.Helper()
	e := New(Config{}, 0)
	require.NoError(s.t, e.Apply(s.e.Log))
	e.Log = slices.Clone(s.e.Log)
	e.Restarted(s.now)
	return &scene{t: s.t, e: e, now: s.now}
}
