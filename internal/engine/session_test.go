package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// caller makes calls in a session and records their results.
type caller struct {
	t       *testing.T
	e       *Engine
	client  call.Client
	session uint64
	number  uint64
	had     map[uint64]call.Result // results of the calls that changed something, by number
}

func newCaller(t *testing.T, e *Engine, client byte) *caller {
	c := &caller{t: t, e: e, client: call.Client{client}, had: map[uint64]call.Result{}}
	var lost bool
	c.session, lost = e.OpenSession(c.client, 0)
	require.False(t, lost)
	return c
}

func (c *caller) by() call.Request {
	c.number++
	return call.Request{Session: c.session, Number: c.number}
}

// keep records the result of call number.
func (c *caller) keep(number uint64, r call.Result) call.Result {
	kept := call.Result{Grants: slices.Clone(r.Grants), Errs: slices.Clone(r.Errs), Seq: r.Seq, Version: r.Version}
	for _, v := range r.Entries {
		v.Row = slices.Clone(v.Row)
		kept.Entries = append(kept.Entries, v)
	}
	c.had[number] = kept
	return kept
}

func (c *caller) write(drafts ...call.Draft) call.Result {
	by := c.by()
	r := c.e.Write(1, txn.ID{}, by, drafts)
	require.NoError(c.t, r.Err)
	return c.keep(by.Number, r)
}

func (c *caller) take(kind call.KindID, n int) call.Result {
	q := &call.Query{Templates: []call.Template{{Kind: kind}}, Max: n, Take: true, By: c.by()}
	r := c.e.Find(1, q)
	if r.Err != nil {
		return r
	}
	return c.keep(q.By.Number, r)
}

// requireRecalled checks that e returns the same results again.
func (c *caller) requireRecalled(e *Engine) {
	for number, want := range c.had {
		got, found := e.Recall(1, call.Request{Session: c.session, Number: number})
		require.True(c.t, found, "call %d", number)
		require.NoError(c.t, got.Err, "call %d", number)
		require.Equal(c.t, want.Grants, slices.Clone(got.Grants), "call %d", number)
		require.Equal(c.t, want.Errs, slices.Clone(got.Errs), "call %d", number)
		require.Equal(c.t, want.Seq, got.Seq)
		require.Equal(c.t, want.Version, got.Version)
		require.Equal(c.t, want.Entries, slices.Clone(got.Entries), "call %d", number)
	}
}

func aStone(age int64) call.Draft {
	v := template.AppendInt(nil, age)
	return call.Draft{Kind: stoneKind, Row: append([]byte{byte(len(v))}, v...), Lease: call.Forever}
}

func leased(d call.Draft, lease int64) call.Draft {
	d.Lease = lease
	return d
}

// replayed returns an engine built from the records of e, in groups of one call each.
func replayed(t *testing.T, e *Engine) *Engine {
	again := New(Config{}, 0)
	require.NoError(t, again.Apply(e.Log))
	require.Equal(t, e.Hash(), again.Hash())
	return again
}

func TestRecall_TellsEveryOutcomeAgain(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	c := newCaller(t, e, 1)

	c.write(aStone(1))
	c.write(leased(aStone(2), 1<<40), leased(aStone(3), 1<<40))
	c.write(aStone(4), leased(aStone(5), 1<<50), leased(aStone(6), 0))
	first := c.take(stoneKind, 1)
	require.Len(t, first.Entries, 1)
	require.Len(t, c.take(stoneKind, 3).Entries, 3)

	ids := []uint64{c.write(aStone(7)).Grants[0].ID, first.Entries[0].ID}
	by := c.by()
	c.keep(by.Number, e.Renew(1, by, 1<<50, ids))
	by = c.by()
	c.keep(by.Number,
		e.Notify(1, &call.Query{Templates: []call.Template{{}}, Max: 1, By: by}, call.Events(call.Written), 1<<50))
	by = c.by()
	c.keep(by.Number, e.Cancel(1, by, ids))

	c.requireRecalled(e)
	c.requireRecalled(e) // any number of times
	c.requireRecalled(replayed(t, e))
}

func TestRecall_WaitingTakes(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	a, b := newCaller(t, e, 1), newCaller(t, e, 2)
	park := func(c *caller, n int) *call.Query {
		q := &call.Query{Templates: []call.Template{{Kind: stoneKind}}, Max: n, Take: true, By: c.by()}
		e.Park(q, nil)
		return q
	}
	bulk, single := park(a, 2), park(b, 1)
	by := a.by()
	r := e.Write(1, txn.ID{}, by, []call.Draft{aStone(1), aStone(2), aStone(3)})
	require.NoError(t, r.Err)
	a.keep(by.Number, r)
	require.Len(t, e.Granted, 2)
	a.keep(bulk.By.Number, call.Result{Entries: e.Granted[0].Got})
	b.keep(single.By.Number, call.Result{Entries: e.Granted[1].Got})
	require.Len(t, a.had[bulk.By.Number].Entries, 2)

	for _, e := range []*Engine{e, replayed(t, e)} {
		a.requireRecalled(e)
		b.requireRecalled(e)
	}
}

func TestRecall_WhatWasNeverExecutedMayBe(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	c := newCaller(t, e, 1)
	c.write(aStone(1))
	require.Error(t, e.Write(1, txn.ID{}, c.by(), nil).Err)
	require.ErrorIs(t, c.take(animalKind, 1).Err, call.ErrNoMatch)
	by := c.by()
	require.ErrorIs(t, e.Cancel(1, by, []uint64{1 << 40}).Errs[0], call.ErrLeaseEnded)
	require.NoError(t, e.Find(1, &call.Query{Templates: []call.Template{{}}, Max: 1, By: c.by()}).Err)
	for number := uint64(2); number <= c.number+1; number++ {
		_, found := e.Recall(1, call.Request{Session: c.session, Number: number})
		require.False(t, found, "call %d", number)
	}
}

func TestReceived_ForgetsOutcomesInOrder(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	c := newCaller(t, e, 1)
	c.write(aStone(1))
	c.take(stoneKind, 1)
	lsn := e.LSN()
	c.write(aStone(2))
	e.Received(1, c.session, lsn)
	delete(c.had, 1)
	delete(c.had, 2)
	c.requireRecalled(e)
	_, found := e.Recall(1, call.Request{Session: c.session, Number: 1})
	require.False(t, found)
	logged := len(e.Log)
	e.Received(1, c.session, lsn)
	require.Len(t, e.Log, logged, "nothing new")
	c.write(aStone(3))
	c.requireRecalled(e)
	c.requireRecalled(replayed(t, e))
	e.Received(1, c.session, e.LSN())
	require.Zero(t, e.sessions.byID[c.session].kept.n)
	replayed(t, e)
}

// The number of a dropped outcome is kept: the call must not be executed a second time.
func TestRecall_BeyondTheBound(t *testing.T) {
	t.Parallel()
	e := New(Config{}, 0)
	require.NoError(t, e.Register(1, job).Err)
	c := newCaller(t, e, 1)
	// a null key is left out below
	row := append([]byte{0x80, 0x80, 0x40, byte(0x41)}, make([]byte, 1<<20-1)...)
	row = append([]byte{0}, row...)
	require.NoError(t, template.Row(row).Check(job))
	for range 12 {
		c.write(call.Draft{Kind: jobKind, Row: row, Lease: call.Forever})
	}
	require.Len(t, c.take(jobKind, 3).Entries, 3)
	for range 9 {
		require.Len(t, c.take(jobKind, 1).Entries, 1)
	}
	s := e.sessions.byID[c.session]
	require.LessOrEqual(t, len(s.kept.buf)-s.kept.from, maxKept)
	require.Equal(t, uint64(15), s.lost) // of 12 writes, a take of 3, and 9 more takes the last 7 are kept
	for _, e := range []*Engine{e, replayed(t, e)} {
		for number := uint64(1); number <= c.number; number++ {
			r, found := e.Recall(1, call.Request{Session: c.session, Number: number})
			require.True(t, found)
			if number <= 15 {
				require.ErrorIs(t, r.Err, call.ErrOutcomeUnknown, "call %d", number)
			} else {
				require.NoError(t, r.Err)
			}
		}
	}
}

func TestOpenSession_TellsWhatIsLost(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	c := newCaller(t, e, 1)
	id, lost := e.OpenSession(c.client, c.session)
	require.Equal(t, c.session, id)
	require.False(t, lost)
	require.Empty(t, e.Sessions(), "no session has done anything")

	// A session without an outcome leaves no trace: a call without an answer was not executed.
	again := replayed(t, e)
	_, lost = again.OpenSession(c.client, c.session)
	require.False(t, lost)

	c.write(aStone(1))
	require.Equal(t, []uint64{c.session}, e.Sessions())
	again = replayed(t, e)
	id, lost = again.OpenSession(c.client, c.session)
	require.Equal(t, c.session, id)
	require.False(t, lost)

	e.EndSession(1, c.session, false)
	require.Empty(t, e.Sessions())
	r, found := e.Recall(1, call.Request{Session: c.session, Number: 1})
	require.True(t, found)
	require.ErrorIs(t, r.Err, call.ErrOutcomeUnknown)
	for _, e := range []*Engine{e, replayed(t, e)} {
		for range 2 { // twice, because the first answer may be lost
			id, lost = e.OpenSession(c.client, c.session)
			require.NotEqual(t, c.session, id)
			require.True(t, lost)
		}
	}
}

func TestEndSession_GoodbyeLosesNothing(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	a, b := newCaller(t, e, 1), newCaller(t, e, 2)
	b.write(aStone(1))
	e.EndSession(1, b.session, true)
	again := replayed(t, e)
	_, lost := again.OpenSession(a.client, a.session)
	require.False(t, lost)
	e.EndSession(1, a.session, false) // without an outcome
	_, lost = e.OpenSession(a.client, a.session)
	require.False(t, lost)
}

func TestAdoptSessions_NumbersStay(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	a, b := newCaller(t, e, 1), newCaller(t, e, 2)
	a.write(aStone(1))
	log := len(e.Log)
	b.write(aStone(2))
	e.Log = e.Log[:log] // this one fails
	again := replayedAs(t, e.Log)
	again.AdoptSessions(e)
	c := newCaller(t, again, 3)
	require.NotContains(t, []uint64{a.session, b.session}, c.session)
	a.requireRecalled(again)
	_, found := again.Recall(1, call.Request{Session: b.session, Number: 1})
	require.False(t, found)
	b.e, b.had = again, map[uint64]call.Result{}
	b.write(aStone(2))
	b.requireRecalled(again)
}

func replayedAs(t *testing.T, log []byte) *Engine {
	e := New(Config{}, 0)
	require.NoError(t, e.Apply(log))
	return e
}

func TestApply_RefusesOutcomesThatCannotBe(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	c := newCaller(t, e, 1)
	c.write(aStone(1))
	for name, records := range map[string][]byte{
		"session twice":           record.AppendSession(nil, c.session, c.client[:]),
		"client twice":            record.AppendSession(nil, 99, c.client[:]),
		"short client":            record.AppendSession(nil, 99, []byte("short")),
		"no such session":         record.AppendEndSession(nil, 99, record.Expired),
		"write without session":   record.AppendWrote(nil, 99, 1, 1, 1, nil),
		"write of nothing":        record.AppendWrote(nil, c.session, 1, 77, 1, nil),
		"write of the future":     record.AppendWrote(nil, c.session, 1, 1, 1<<60, nil),
		"take without session":    record.AppendTake(nil, record.Take, 99, 1, 1, 1),
		"take of nothing":         record.AppendTake(nil, record.Take, c.session, 1, 77, 1),
		"outcome without session": record.AppendDone(nil, 99, 1, nil),
		"too many received":       record.AppendReceived(nil, c.session, 2),
	} {
		again := replayedAs(t, e.Log)
		require.ErrorIs(t, again.Apply(records), record.ErrCorrupt, name)
	}
}

// In random programs of several clients, the log leads to the same outcomes, whatever clients have received and
// repeated.
func TestSessions_RandomPrograms(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 11))
			e := newTestEngine(t)
			callers := []*caller{newCaller(t, e, 1), newCaller(t, e, 2), newCaller(t, e, 3)}
			clients := byte(3)
			for range 2000 {
				i := r.IntN(len(callers))
				c := callers[i]
				switch n := r.IntN(100); {
				case n < 40:
					c.write(slices.Repeat([]call.Draft{leased(aStone(1), []int64{call.Forever, 1 << 50}[r.IntN(2)])}, 1+r.IntN(3))...)
				case n < 80:
					c.take(stoneKind, 1+r.IntN(3))
				case n < 90:
					e.Received(1, c.session, e.LSN())
					clear(c.had)
				case n < 92:
					e.EndSession(1, c.session, r.IntN(2) == 0)
					clients++
					callers[i] = newCaller(t, e, clients)
				default:
					c.requireRecalled(e)
				}
			}
			again := replayed(t, e)
			for _, c := range callers {
				c.requireRecalled(e)
				c.requireRecalled(again)
			}
		})
	}
}

// Decoding an outcome terminates for arbitrary bytes, and inverts encoding.
func FuzzOutcome(f *testing.F) {
	f.Add(appendOutcome(nil,
		&call.Result{
			Grants: []call.Grant{{ID: 1, Granted: call.Forever}, {ID: 2, Granted: 5}},
			Errs:   []error{nil, call.ErrLeaseEnded}, Seq: 7, Version: 9,
		}))
	f.Add([]byte{fieldGrants, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		e := New(Config{}, 0)
		var r, again call.Result
		e.decodeOutcome(b, &r)
		e2 := New(Config{}, 0)
		e2.decodeOutcome(appendOutcome(nil, &r), &again)
		require.Equal(t, r, again)
	})
}

// Keeping the outcome of a call that is not repeated allocates nothing.
func TestSessions_KeepingAllocatesNothing(t *testing.T) {
	e := newTestEngine(t)
	c := newCaller(t, e, 1)
	q := &call.Query{Templates: []call.Template{{Kind: stoneKind}}, Max: 1, Take: true}
	drafts := []call.Draft{aStone(1)}
	run := func() {
		for range 100 {
			e.Write(1, txn.ID{}, c.by(), drafts)
			q.By = c.by()
			e.Find(1, q)
			e.Log = e.Log[:0]
		}
		e.Received(1, c.session, e.LSN())
	}
	run()
	require.Less(t, testing.AllocsPerRun(100, run), 5.0)
}
