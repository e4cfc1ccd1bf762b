package engine

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// program is a random program that the engine and the model run side by side. After each call everything observable is
// compared: the result, the waiting calls that were served, the events, and the state to which the log leads.
type program struct {
	t       testing.TB
	r       chooser
	options options

	e *Engine
	m *model

	log     [][]byte        // groups of the log
	replica *Engine         // applies them
	seen    map[uint64]bool // every identity issued so far
	used    map[int64]bool  // ticks in which something ends

	searches []search // under way

	branches  uint64 // number of transactions of another space so far
	templates []call.Template

	steps int
	trace []string
}

// options vary the program.
type options struct {
	size      int  // entries
	txns      int  // open transactions
	jumps     bool // time jumps, as with late timers
	templates int  // if not 0, most calls use one of this many templates, so that indexes start
	plain     bool // templates have no conditions, so that all calls compete
	patient   bool // a transaction with a waiting call does nothing else, so that transactions come to wait for each other
}

func newProgram(t testing.TB, r chooser, o options) *program {
	p := &program{
		t: t, r: r, options: o, m: &model{now: 1, txns: map[uint64]*modelTxn{}}, seen: map[uint64]bool{},
		used: map[int64]bool{},
	}
	p.e, p.replica = New(Config{}, 0), New(Config{}, 0)
	for len(p.templates) < o.templates {
		if t := randomTemplate(r); o.plain {
			p.templates = append(p.templates, call.Template{})
		} else if len(t.Conds) > 0 {
			p.templates = append(p.templates, t)
		}
	}
	for i, s := range schemas {
		res := p.e.Register(1, s)
		require.NoError(p.t, res.Err)
		require.Equal(p.t, i+1, res.Count)
		p.follow()
	}
	return p
}

func (p *program) oneIn(n int) bool { return oneIn(p.r, n) }

// duration returns a lease or a delay of a few ticks and a half, so that nothing ends exactly at the time of a call. No
// two end in the same tick, since the engine chooses which of those ends first.
func (p *program) duration() int64 {
	n := p.m.now>>tickShift + int64(p.r.IntN(24))
	for p.used[n] {
		n++
	}
	p.used[n] = true
	return (n-p.m.now>>tickShift)<<tickShift + 1<<(tickShift-1)
}

// pass advances time: tick by tick, as with a working timer, or at once.
func (p *program) pass() {
	n := int64(1 + p.r.IntN(4))
	if p.options.jumps {
		p.m.now += n << tickShift
		return
	}
	for range n {
		p.m.now += 1 << tickShift
		p.expire()
	}
}

func (p *program) step() {
	p.steps++
	p.e.Work(p.r.IntN(32))
	p.replica.Work(p.r.IntN(32))
	if len(p.searches) > 0 && p.oneIn(2) {
		p.search()
	}
	if p.oneIn(4) {
		p.pass()
	}
	n := p.r.IntN(100)
	if p.options.txns == 0 && n >= 60 {
		n %= 60
	}
	if p.options.patient && p.r.IntN(4) > 0 {
		n = []int{10, 20, 20, 20, 20, 65, 65, 75}[p.r.IntN(8)] // writes, finds, begins, commits
	}
	switch {
	case n < 14 || n < 30 && p.options.size > len(p.m.entries)*3/2 && p.options.size > 100:
		p.write()
	case n < 42:
		p.find()
	case n < 45:
		p.count()
	case n < 49:
		p.renew()
	case n < 52:
		p.cancel()
	case n < 54:
		p.unpark()
	case n < 57:
		p.register()
	case n < 60:
		p.update()
	case n < 70:
		p.begin()
	case n < 80:
		p.commit()
	case n < 88:
		p.abort()
	case n < 92:
		p.rollback()
	case n < 96:
		p.deferEntry()
	case n < 99:
		p.expire()
	default:
		switch p.r.IntN(4) {
		case 0:
			p.crash()
		case 1:
			p.handOver()
		}
	}
}

func (p *program) logf(format string, args ...any) {
	p.trace = append(p.trace, fmt.Sprintf("%d @%d: ", p.steps, p.m.now>>tickShift)+fmt.Sprintf(format, args...))
}

// Every operation calls the engine, then called, then the model, then done.

// called advances the model to the time of the call.
func (p *program) called(shown []call.View) {
	p.learn(shown...)
	p.m.begin(p.m.now)
}

// learn passes the free choices of the engine to the model.
func (p *program) learn(shown ...call.View) {
	p.m.begun = map[uint64]uint64{}
	for _, w := range p.e.Granted {
		shown = append(shown, w.Got...)
	}
	for _, v := range shown {
		if v.Txn != 0 {
			p.m.begun[v.ID] = v.Txn
		}
	}
}

// done compares all effects of the call.
func (p *program) done() {
	p.m.finish()
	p.requireGranted()
	p.requireEvents()
	ended := slices.Clone(p.e.Ended)
	require.ElementsMatch(p.t, p.m.ended, ended, "registrations that have ended")
	require.Equal(p.t, len(p.m.doomed), len(p.e.Doomed))
	require.ElementsMatch(p.t, p.m.doomed, p.e.Doomed)
	p.follow()
	p.requireTimer()
	p.untie()
}

// untie gives distinct ends to entries whose leases began at the end of a delay, an instant that is not known before.
func (p *program) untie() {
	late := p.m.late
	p.m.late = nil
	for _, id := range late {
		if e := p.m.entry(id); e != nil && e.expires < call.Forever {
			p.renewLease(id)
		}
	}
}

func (p *program) requireGranted() {
	got := map[*Waiter]modelWaiter{}
	for _, w := range p.e.Granted {
		require.NotContains(p.t, got, w, "served twice")
		got[w] = modelWaiter{w: w, got: views(w.Got), err: w.Err}
	}
	for _, w := range p.m.granted {
		require.Contains(p.t, got, w.w, "not served: %s, with %v, %v", describe(w.q), w.got, w.err)
		require.Equal(p.t, show(w.got), show(got[w.w].got), "%s", describe(w.q))
		require.Equal(p.t, w.err, got[w.w].err, "%s", describe(w.q))
		require.False(p.t, p.e.Unpark(w.w), "still parked")
		delete(got, w.w)
	}
	for _, w := range got {
		require.Fail(p.t, "served without reason", "%s, with %v, %v", describe(w.w.Query), w.got, w.err)
	}
}

func views(vs []call.View) (all []modelView) {
	for _, v := range vs {
		all = append(all, modelView{v.ID, v.Kind, string(v.Row), v.Version, v.Attempts, v.Txn})
	}
	return all
}

// show formats views for comparison by people.
func show(vs []modelView) (all []string) {
	for _, v := range vs {
		all = append(all, fmt.Sprintf("%+v", v))
	}
	return all
}

func showEvents(evs []modelEvent) (all []string) {
	for _, ev := range evs {
		all = append(all, fmt.Sprintf("%d %+v", ev.typ, ev.entry))
	}
	slices.Sort(all)
	return all
}

func (p *program) requireEvents() {
	got := map[uint64][]modelEvent{}
	seqs := map[uint64]uint64{}
	for _, r := range p.m.registrations {
		seqs[r.id] = r.seq
	}
	for _, ev := range p.e.Events {
		if seq, ok := seqs[ev.Registration]; ok {
			require.Equal(p.t, seq+1, ev.Seq, "events without holes")
			seqs[ev.Registration]++
		}
		v := views([]call.View{ev.Entry})[0]
		v.txn = 0
		got[ev.Registration] = append(got[ev.Registration], modelEvent{ev.Registration, ev.Type, v})
	}
	want := map[uint64][]modelEvent{}
	for _, ev := range p.m.events {
		want[ev.registration] = append(want[ev.registration], ev)
	}
	for id := range got {
		want[id] = append(want[id], nil...)
	}
	for id, evs := range want {
		require.Equal(p.t, showEvents(evs), showEvents(got[id]), "events of %d", id)
	}
	for _, r := range p.m.registrations {
		r.seq = seqs[r.id]
		seq, ok := p.e.Registered(r.id)
		require.True(p.t, ok)
		require.Equal(p.t, r.seq, seq)
	}
}

// follow applies the records of the call, and compares the resulting state with the engine and the model.
func (p *program) follow() {
	require.LessOrEqual(p.t, p.e.LSN(), uint64(len(p.log)+1))
	if len(p.e.Log) == 0 {
		require.Equal(p.t, p.e.LSN(), uint64(len(p.log)), "a change without a record")
		return
	}
	require.Equal(p.t, p.e.LSN(), uint64(len(p.log)+1), "records without a change")
	p.log = append(p.log, slices.Clone(p.e.Log))
	require.Equal(p.t, changesOf(p.t, p.e.Log), p.e.Changes)
	p.e.Log, p.e.Changes = p.e.Log[:0], record.Changes{}
	require.NoError(p.t, p.replica.Apply(p.log[len(p.log)-1]))
	require.Equal(p.t, p.e.Hash(), p.replica.Hash(), "what the log leads to")
	requireCounted(p.t, p.e)
	requireCounted(p.t, p.replica)
	require.Equal(p.t, show(p.m.committed()), show(contents(p.replica)))
}

// changesOf counts what records change.
func changesOf(t testing.TB, records []byte) (changes record.Changes) {
	var r record.Record
	for len(records) > 0 {
		var err error
		records, err = record.Next(records, &r)
		require.NoError(t, err)
		if entry := r.Changed(); entry != 0 {
			changes.Add(entry)
		}
	}
	return changes
}

// contents returns all visible entries of an engine without transactions, oldest first.
func contents(e *Engine) []modelView {
	return views(e.Find(0, &call.Query{Templates: []call.Template{{}}, Max: 1 << 30}).Entries)
}

// held reports whether t is prepared, so that no crash ends its locks.
func (m *model) held(t uint64) bool { return m.txns[t] != nil && m.txns[t].prepared }

// committed returns the visible entries without the effects of transactions that are not prepared, except for takes:
// the log knows the takes of transactions that began here.
func (m *model) committed() (all []modelView) {
	for _, e := range m.entries {
		if e.writer == 0 && e.visible == 0 && !m.held(e.changer) && (e.taker == 0 || e.taker > foreign && !m.held(e.taker)) {
			all = append(all, e.view(0))
		}
	}
	return all
}

// requireTimer requires that leases end in time, and that the engine asks to be called at the next end of a lease or
// delay.
func (p *program) requireTimer() {
	next := int64(call.Forever)
	for _, e := range p.m.entries {
		at, ok := p.e.store.Find(e.id)
		require.True(p.t, ok, "entry %d", e.id)
		require.Equal(p.t, e.expires, p.e.kinds[at.Kind-1].At(at.Slot).Expires, "the lease of entry %d", e.id)
		next = min(next, e.expires)
		if e.visible != 0 && e.writer == 0 {
			next = min(next, e.visible)
		}
	}
	for _, t := range p.m.txns {
		next = min(next, t.expires)
	}
	for _, r := range p.m.registrations {
		next = min(next, r.expires)
	}
	if next < call.Forever {
		require.LessOrEqual(p.t, p.e.NextExpiry(), (next>>tickShift+1)<<tickShift, "the timer")
	}
}

// Choices.

// txn returns a transaction, usually an open one; 0 for none.
func (p *program) txn() uint64 {
	if len(p.m.txns) == 0 && !p.oneIn(20) || p.r.IntN(3) == 0 {
		return 0
	}
	return p.someTxn()
}

func (p *program) someTxn() uint64 {
	open := make([]uint64, 0, len(p.m.txns))
	for t := range p.m.txns {
		if !p.options.patient || !slices.ContainsFunc(p.m.waiting, func(w *modelWaiter) bool { return key(w.q.Txn) == t }) {
			open = append(open, t)
		}
	}
	if len(open) == 0 && p.oneIn(4) {
		open = slices.Collect(maps.Keys(p.m.txns))
	}
	if len(open) == 0 || p.oneIn(40) {
		return 1<<50 + 1 // never begun
	}
	slices.Sort(open)
	return open[p.r.IntN(len(open))]
}

// entry returns the identity of an entry, usually an existing one.
func (p *program) entry() uint64 {
	if len(p.m.entries) == 0 || p.oneIn(20) {
		return 1 << 51
	}
	return p.m.entries[p.r.IntN(len(p.m.entries))].id
}

func (p *program) drafts() []call.Draft {
	drafts := make([]call.Draft, 1+p.r.IntN(3))
	for i := range drafts {
		kind := call.KindID(1 + p.r.IntN(3))
		drafts[i] = call.Draft{Kind: kind, Row: randomRow(p.r, schemas[kind-1]), Lease: call.Forever}
		if p.r.IntN(3) == 0 {
			drafts[i].Lease = p.duration()
		}
		if p.oneIn(20) {
			drafts[i].Lease = 0
		}
		if p.oneIn(8) {
			drafts[i].Delay = p.duration()
		}
		if p.options.patient {
			drafts[i].Lease, drafts[i].Delay = call.Forever, 0
		}
	}
	return drafts
}

func (p *program) query() *call.Query {
	q := randomQuery(p.r)
	if len(p.templates) > 0 && p.r.IntN(8) > 0 {
		q.Templates, q.Order = []call.Template{p.templates[p.r.IntN(len(p.templates))]}, nil
		if k := q.Templates[0].Kind; k > 0 && p.oneIn(6) {
			q.Order = []template.Order{{Field: len(schemas[k-1].Fields) - 1, Desc: p.oneIn(2)}}
		}
	}
	q.Txn = under(p.txn())
	if p.oneIn(8) {
		q.ID, q.Order = p.entry(), nil
	}
	if q.Take && q.Txn.IsZero() && p.options.txns > 0 && p.oneIn(4) {
		q.Begin, q.Lease = true, call.Forever
		if q.Max == 1 && p.oneIn(2) {
			q.Lease = p.duration()
		}
	}
	if p.oneIn(3) && !p.options.jumps { // whether such a call waits depends on the order in which things end
		q.IfExists = true
	}
	if p.options.patient && q.Txn.IsZero() {
		q.Take, q.Begin = false, false // otherwise nothing would be left to wait for each other
	}
	return q
}

func describe(q *call.Query) string { return fmt.Sprintf("%+v", *q) }

// open reports whether the transaction is open in the model; 0 is none.
func (p *program) open(t uint64) bool {
	return t == 0 || p.m.txns[t] != nil && !p.m.txns[t].prepared
}

// Operations.

func (p *program) write() {
	t := p.txn()
	if len(p.m.entries) >= p.options.size {
		p.logf("nothing")
		return
	}
	drafts := p.drafts()
	r := p.e.Write(p.m.now, under(t), call.Request{}, drafts)
	p.logf("write under %d: %s -> %v %v", t, describeDrafts(drafts), r.Grants, r.Err)
	p.called(nil)
	if !p.open(t) {
		require.ErrorIs(p.t, r.Err, call.ErrTxnEnded)
	} else {
		p.m.write(t, drafts, p.requireGrants(&r, drafts))
	}
	p.done()
}

func describeDrafts(drafts []call.Draft) (s string) {
	for _, d := range drafts {
		s += fmt.Sprintf("{%d %q lease %d delay %d}", d.Kind, d.Row, d.Lease, d.Delay)
	}
	return s
}

// requireGrants checks the leases of written entries and returns their identities.
func (p *program) requireGrants(r *call.Result, drafts []call.Draft) (ids []uint64) {
	require.NoError(p.t, r.Err)
	require.Len(p.t, r.Grants, len(drafts))
	for i, d := range drafts {
		require.Equal(p.t, d.Lease, r.Grants[i].Granted)
		ids = append(ids, p.fresh(r.Grants[i].ID))
	}
	return ids
}

// fresh returns id, which must not have been issued before.
func (p *program) fresh(id uint64) uint64 {
	require.NotZero(p.t, id)
	require.NotContains(p.t, p.seen, id, "an identity given twice")
	p.seen[id] = true
	return id
}

func (p *program) find() {
	q := p.query()
	require.NoError(p.t, p.e.Check(q))
	r, x := p.e.StartFind(p.m.now, p.budget(), q)
	if x != nil {
		p.unfinished(search{x, q, p.found})
		return
	}
	p.found(q, r)
}

// found compares the result of a find with the model's.
func (p *program) found(q *call.Query, r call.Result) {
	got, err := views(r.Entries), r.Err
	p.logf("find %s -> %v %v", describe(q), got, err)
	p.called(r.Entries)
	for _, v := range got {
		if v.txn != 0 {
			p.fresh(v.txn)
		}
	}
	if !p.open(key(q.Txn)) {
		require.ErrorIs(p.t, err, call.ErrTxnEnded)
		p.done()
		return
	}
	want := p.m.obtain(q)
	require.Equal(p.t, show(want), show(got))
	if len(want) > 0 {
		require.NoError(p.t, err)
	} else {
		require.ErrorIs(p.t, err, call.ErrNoMatch)
		// A lease that begins later could end in a tick with another.
		if len(p.m.waiting) < 12 && p.r.IntN(3) > 0 && (!q.Begin || q.Lease == call.Forever) {
			p.park(q)
		}
	}
	p.done()
}

// search is a call that the engine did not finish in one step.
type search struct {
	x       *Search
	q       *call.Query
	compare func(q *call.Query, r call.Result)
}

// budget returns the number of entries that a call may examine in one step.
func (p *program) budget() int {
	if p.options.patient || p.oneIn(2) {
		return unbounded
	}
	return p.r.IntN(40)
}

func (p *program) unfinished(s search) {
	p.logf("begin to search %s", describe(s.q))
	p.searches = append(p.searches, s)
	p.called(nil)
	p.done()
}

// search takes another step of a search, or closes it.
func (p *program) search() {
	i := p.r.IntN(len(p.searches))
	s := p.searches[i]
	if p.oneIn(20) {
		p.logf("give up %s", describe(s.q))
		s.x.Close()
		p.searches = slices.Delete(p.searches, i, i+1)
		return
	}
	r, done := s.x.Step(p.m.now, p.r.IntN(40))
	if done {
		p.searches = slices.Delete(p.searches, i, i+1)
		s.compare(s.q, r)
		return
	}
	p.logf("search on %s", describe(s.q))
	p.called(nil)
	p.done()
}

// park makes a call wait that has found nothing. It belongs to the preceding call of the engine.
func (p *program) park(q *call.Query) {
	w := p.e.Park(q, nil)
	p.logf("park %s -> %t", describe(q), w != nil)
	p.learn()
	require.Equal(p.t, p.m.park(w, q), w != nil)
}

func (p *program) unpark() {
	if n := len(p.m.waiting); n > 0 && (!p.options.patient || p.oneIn(8)) {
		i := p.r.IntN(n)
		p.logf("unpark %s", describe(p.m.waiting[i].q))
		require.True(p.t, p.e.Unpark(p.m.waiting[i].w))
		require.False(p.t, p.e.Unpark(p.m.waiting[i].w))
		p.m.waiting = slices.Delete(p.m.waiting, i, i+1)
	}
}

func (p *program) register() {
	if n := len(p.m.registrations); n >= 4 {
		p.cancelLease(p.m.registrations[p.r.IntN(n)].id)
		return
	}
	q := &call.Query{Templates: []call.Template{randomTemplate(p.r)}, Max: 1, Txn: under(p.txn())}
	if p.oneIn(3) {
		q.Templates = append(q.Templates, randomTemplate(p.r))
	}
	on := call.Events(call.Written)
	if p.oneIn(2) {
		on = call.EventSet(p.r.IntN(1 << (call.Available + 1)))
		for t := call.EventType(0); t <= call.Available; t++ {
			if !call.Events(t).Valid() {
				on &^= call.Events(t)
			}
		}
	}
	if on == 0 {
		on = call.Events(call.Available)
	}
	lease := int64(call.Forever)
	if p.oneIn(2) {
		lease = p.duration()
	}
	r := p.e.Notify(p.m.now, q, on, lease)
	p.logf("notify %s of %b for %d -> %v %v", describe(q), on, lease, r.Grants, r.Err)
	p.called(nil)
	if !p.open(key(q.Txn)) {
		require.ErrorIs(p.t, r.Err, call.ErrTxnEnded)
	} else {
		require.NoError(p.t, r.Err)
		require.Equal(p.t, lease, r.Grants[0].Granted)
		p.m.notify(p.fresh(r.Grants[0].ID), q, on, lease)
	}
	p.done()
}

func (p *program) count() {
	q := p.query()
	q.Take, q.Begin, q.IfExists, q.Order = false, false, false, nil
	r, x := p.e.StartCount(p.m.now, p.budget(), q)
	if x != nil {
		p.unfinished(search{x, q, p.counted})
		return
	}
	p.counted(q, r)
}

// counted compares the result of a count with the model's.
func (p *program) counted(q *call.Query, r call.Result) {
	p.logf("count %s -> %d %v", describe(q), r.Count, r.Err)
	p.called(nil)
	if !p.open(key(q.Txn)) {
		require.ErrorIs(p.t, r.Err, call.ErrTxnEnded)
		p.done()
		return
	}
	want := p.m.find(q)
	require.NoError(p.t, r.Err)
	require.Equal(p.t, len(want), r.Count)
	p.done()
	p.contents(q)
	p.kinds()
	p.held(q)
}

// held compares what a read, a count and an iteration of held entries find, each in steps.
func (p *program) held(like *call.Query) {
	q := *like
	q.Held, q.Txn, q.Max = true, txn.ID{}, 1+p.r.IntN(4)
	require.NoError(p.t, p.e.Check(&q))
	var want []string
	for _, e := range p.m.inHand(&q) {
		want = append(want, fmt.Sprintf("%+v by %v", e.view(0), under(e.taker)))
	}
	var got []string
	finish := func(r call.Result, x Unfinished) call.Result {
		for {
			for _, v := range r.Entries {
				got = append(got, fmt.Sprintf("%+v by %v", views([]call.View{v})[0], v.Held.Txn))
			}
			p.called(nil)
			p.done()
			if x == nil {
				return r
			}
			var done bool
			if r, done = x.Step(p.m.now, 1+p.r.IntN(3)); done {
				x = nil
			}
		}
	}
	r := finish(p.e.StartHeldFind(p.m.now, p.budget(), &q))
	require.Equal(p.t, len(want) == 0, r.Err == call.ErrNoMatch)
	require.Equal(p.t, want[:min(len(want), q.Max)], got)
	require.Equal(p.t, len(want), finish(p.e.StartHeldCount(p.m.now, p.budget(), &q)).Count)
	got = nil
	for cursor, more := (call.Cursor{}), true; more; cursor, more = r.Cursor, r.More {
		r = finish(p.e.StartHeldContents(p.m.now, p.budget(), &q, cursor))
	}
	require.Equal(p.t, want, got)
}

func (p *program) contents(q *call.Query) {
	var got []modelView
	for cursor, more := (call.Cursor{}), true; more; {
		r := p.e.Contents(p.m.now, q, cursor)
		require.NoError(p.t, r.Err)
		p.logf("contents %s from %x -> %v", describe(q), cursor.Place, views(r.Entries))
		got = append(got, views(r.Entries)...)
		cursor, more = r.Cursor, r.More
		p.called(nil)
		p.done()
	}
	all := *q
	all.Max = 1 << 30
	want := p.m.obtain(&all)
	p.done()
	slices.SortFunc(got, compareID)
	slices.SortFunc(want, compareID)
	require.Equal(p.t, show(want), show(got))
}

func compareID(a, b modelView) int { return int(int64(a.id - b.id)) }

func (p *program) kinds() {
	r := p.e.Kinds(p.m.now)
	for i, n := range r.Counts {
		q := &call.Query{Templates: []call.Template{{Kind: call.KindID(i + 1)}}, Max: 1}
		want := slices.DeleteFunc(p.m.find(q), func(e *modelEntry) bool { return e.kind != call.KindID(i+1) })
		require.Len(p.t, want, n)
		require.Equal(p.t, p.m.apart(call.KindID(i+1)), r.Apart[i])
	}
}

// lease returns the identity of something with a lease.
func (p *program) lease() uint64 {
	switch n := p.r.IntN(6); {
	case n == 0 && len(p.m.txns) > 0:
		if t := p.someTxn(); t < foreign {
			return t
		}
	case n == 1 && len(p.m.registrations) > 0:
		return p.m.registrations[p.r.IntN(len(p.m.registrations))].id
	}
	return p.entry()
}

func (p *program) renew() { p.renewLease(p.lease()) }

func (p *program) renewLease(id uint64) {
	d := p.duration()
	r := p.e.Renew(p.m.now, call.Request{}, d, []uint64{id})
	p.logf("renew %d for %d -> %v", id, d, r.Errs)
	p.called(nil)
	if p.m.renew(id, d) {
		require.NoError(p.t, r.Errs[0])
		require.Equal(p.t, d, r.Grants[0].Granted)
	} else {
		require.ErrorIs(p.t, r.Errs[0], call.ErrLeaseEnded)
	}
	p.done()
}

func (p *program) cancel() { p.cancelLease(p.lease()) }

func (p *program) cancelLease(id uint64) {
	r := p.e.Cancel(p.m.now, call.Request{}, []uint64{id, id})
	p.logf("cancel %d -> %v", id, r.Errs)
	p.called(nil)
	require.Equal(p.t, p.m.cancel(id), r.Errs[0] == nil)
	require.ErrorIs(p.t, r.Errs[1], call.ErrLeaseEnded)
	p.done()
}

func (p *program) update() {
	t, id := p.txn(), p.entry()
	kind := call.KindID(1 + p.r.IntN(3))
	c := call.Change{ID: id}
	if e := p.m.entry(id); e != nil {
		kind = e.kind
		if p.oneIn(2) {
			c.Version = e.view(t).version
		}
	}
	if p.oneIn(8) {
		c.Version = uint32(1 + p.r.IntN(4))
	}
	c.Row = randomRow(p.r, schemas[kind-1])
	r := p.e.Update(p.m.now, under(t), call.Request{}, c)
	p.logf("update under %d %+v -> %d %v", t, c, r.Version, r.Err)
	p.called(nil)
	if !p.open(t) {
		require.ErrorIs(p.t, r.Err, call.ErrTxnEnded)
		p.done()
		return
	}
	version, err := p.m.update(t, c)
	require.ErrorIs(p.t, r.Err, err)
	require.Equal(p.t, version, r.Version)
	p.done()
}

func (p *program) begin() {
	if len(p.m.txns) >= p.options.txns {
		return
	}
	if p.oneIn(3) {
		p.join()
		return
	}
	lease := int64(call.Forever)
	if p.oneIn(3) {
		lease = p.duration()
	}
	r := p.e.Begin(p.m.now, lease, call.Request{}, "")
	p.logf("begin for %d -> %v %v", lease, r.Grants, r.Err)
	p.called(nil)
	require.NoError(p.t, r.Err)
	require.Equal(p.t, lease, r.Grants[0].Granted)
	p.m.txns[p.fresh(r.Grants[0].ID)] = &modelTxn{age: r.Grants[0].ID, expires: until(p.m.now, lease)}
	p.done()
}

// join creates a branch of a transaction of another space.
func (p *program) join() {
	p.branches++
	t := foreign + p.branches
	require.False(p.t, p.e.HasBranch(under(t)))
	r := p.e.Join(p.m.now, under(t))
	p.logf("join %d -> %v", t, r.Err)
	p.called(nil)
	require.NoError(p.t, r.Err)
	p.m.txns[t] = &modelTxn{age: p.e.branches[under(t)], expires: call.Forever}
	p.done()
}

// prepare prepares a branch.
func (p *program) prepare(t uint64) {
	r := p.e.Prepare(p.m.now, under(t), p.e.branches[under(t)])
	p.logf("prepare %d -> %d %v", t, r.Count, r.Err)
	p.called(nil)
	require.NoError(p.t, r.Err)
	require.Equal(p.t, p.m.prepare(t), r.Count == 1)
	p.done()
}

// endBranch commits or aborts a branch. A branch that has not prepared cannot commit.
func (p *program) endBranch(t uint64, commit bool) {
	prepared := p.m.txns[t].prepared
	if commit {
		r := p.e.CommitBranch(p.m.now, under(t))
		p.logf("commit branch %d -> %v", t, r.Err)
	} else {
		r := p.e.AbortBranch(p.m.now, under(t))
		p.logf("abort branch %d -> %v", t, r.Err)
	}
	p.called(nil)
	if commit && prepared {
		p.m.commit(t, nil, nil)
	} else {
		p.m.abort(t, call.ErrTxnEnded)
	}
	require.False(p.t, p.e.HasBranch(under(t)))
	p.done()
}

func (p *program) commit() {
	if len(p.m.txns) == 0 && !p.oneIn(10) {
		p.begin()
		return
	}
	t := p.someTxn()
	if t > foreign {
		if !p.m.txns[t].prepared && p.r.IntN(4) > 0 {
			p.prepare(t)
		} else {
			p.endBranch(t, true)
		}
		return
	}
	var drafts []call.Draft
	if p.oneIn(3) {
		drafts = p.drafts()
	}
	r := p.e.Commit(p.m.now, under(t), call.Request{}, drafts)
	p.logf("commit %d: %s -> %v %v", t, describeDrafts(drafts), r.Grants, r.Err)
	p.called(nil)
	if !p.open(t) {
		require.ErrorIs(p.t, r.Err, call.ErrTxnEnded)
	} else {
		p.m.commit(t, drafts, p.requireGrants(&r, drafts))
	}
	p.done()
}

func (p *program) abort() {
	if len(p.m.txns) == 0 && !p.oneIn(10) {
		p.begin()
		return
	}
	t := p.someTxn()
	if t > foreign {
		p.endBranch(t, false)
		return
	}
	r := p.e.Abort(p.m.now, under(t))
	p.logf("abort %d -> %v", t, r.Err)
	p.called(nil)
	if p.requireOpen(t, r.Err) {
		p.m.abort(t, call.ErrTxnEnded)
	}
	p.done()
}

// requireOpen reports whether t is open, and requires that err agrees.
func (p *program) requireOpen(t uint64, err error) bool {
	if p.open(t) {
		require.NoError(p.t, err)
		return true
	}
	require.ErrorIs(p.t, err, call.ErrTxnEnded)
	return false
}

// taken returns an entry, usually one that t has taken.
func (p *program) taken(t uint64) uint64 {
	for _, e := range p.m.entries {
		if e.taker == t && !p.oneIn(3) {
			return e.id
		}
	}
	return p.entry()
}

func (p *program) rollback() {
	t := p.someTxn()
	var keep []uint64
	for p.oneIn(2) {
		keep = append(keep, p.taken(t))
	}
	r := p.e.Rollback(p.m.now, under(t), keep)
	p.logf("rollback %d but for %v -> %v", t, keep, r.Err)
	p.called(nil)
	if p.requireOpen(t, r.Err) {
		p.m.rollback(t, keep)
	}
	p.done()
}

func (p *program) deferEntry() {
	t := p.someTxn()
	id, delay := p.taken(t), p.duration()
	r := p.e.Defer(p.m.now, under(t), id, delay)
	p.logf("defer under %d %d by %d -> %v", t, id, delay, r.Err)
	p.called(nil)
	if !p.open(t) {
		require.ErrorIs(p.t, r.Err, call.ErrTxnEnded)
	} else {
		require.ErrorIs(p.t, r.Err, p.m.deferEntry(t, id, delay))
	}
	p.done()
}

func (p *program) expire() {
	p.e.Expire(p.m.now)
	p.logf("expire")
	p.called(nil)
	p.done()
}

// crash continues with the state to which the log leads.
func (p *program) crash() {
	p.logf("crash")
	p.searches = nil
	p.e, p.replica = p.replica, New(Config{}, 0)
	for _, group := range p.log {
		require.NoError(p.t, p.replica.Apply(group))
	}
	require.Equal(p.t, p.e.Hash(), p.replica.Hash())
	p.e.outlast()
	p.e.begin(p.m.now)
	p.e.endVolatile()
	p.m.crash()
	p.done()
}

// handOver has the replica go on, whose decisions the engine applies from now on: a planned change of roles, after
// which nothing is made anew.
func (p *program) handOver() {
	p.logf("hand over")
	for _, w := range p.m.waiting {
		require.True(p.t, p.e.Unpark(w.w))
	}
	p.searches, p.m.waiting = nil, nil
	p.e.StepDown(p.m.now)
	p.called(nil)
	p.m.handOver()
	p.done()
	p.e, p.replica = p.replica, p.e
	p.e.outlast()
}

// traced is the number of calls printed before a failure.
const traced = 40

// run continues until the given number of steps, and prints the last calls if one fails.
func (p *program) run(steps int) {
	defer func() {
		if p.t.Failed() || p.steps < steps || *trace {
			for _, line := range p.trace[max(0, len(p.trace)-traced):] {
				p.t.Log(line)
			}
		}
	}()
	for p.steps < steps {
		p.step()
	}
}

var (
	programs  = flag.Uint64("programs", 20, "random programs to run against the model")
	firstSeed = flag.Uint64("seed", 0, "of the first of them")
	steps     = flag.Int("steps", 1500, "of each of them")
	trace     = flag.Bool("trace", false, "show the last calls of programs that do not fail, too")
)

func TestEngine_CannotBeToldFromTheModel(t *testing.T) {
	t.Parallel()
	for seed := *firstSeed; seed < *firstSeed+*programs; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			newProgram(t, rand.New(rand.NewPCG(seed, 7)), optionsFor(seed)).run(*steps)
		})
	}
}

// optionsFor varies the programs.
func optionsFor(seed uint64) options {
	o := options{size: 1 << (3 + seed%5), txns: int(seed % 7), jumps: seed%5 == 4}
	switch seed % 8 {
	case 3: // indexes start and end
		o.size, o.templates = 400, 6
	case 5: // all calls compete
		o.size, o.txns, o.templates, o.plain, o.patient = 4, 3, 1, true, true
	}
	return o
}
