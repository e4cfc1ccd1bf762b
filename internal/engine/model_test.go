package engine

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// The model is a space as simple as it can be: a slice of entries in order. Random programs must not be able to tell it from the engine.

var (
	animal = &template.Schema{Kind: "animal", Fields: []template.Field{
		{Name: "name", Class: template.String}, {Name: "age", Class: template.Int}, {Name: "weight", Class: template.Float},
	}}
	dog = &template.Schema{Kind: "dog", Supers: []string{"animal"}, Fields: []template.Field{
		{Name: "barks", Class: template.Bool}, {Name: "name", Class: template.String}, {Name: "age", Class: template.Int}, {Name: "weight", Class: template.Float},
	}}
	stone = &template.Schema{Kind: "stone", Fields: []template.Field{{Name: "age", Class: template.Int}}}
)

const (
	animalKind = 1
	dogKind    = 2
	stoneKind  = 3
)

// Positions of the fields of an animal within each kind.
var animalFields = map[KindID][]int{animalKind: {0, 1, 2}, dogKind: {1, 2, 3}}

type modelEntry struct {
	id      uint64
	kind    KindID
	row     template.Row
	expires int64
}

type model struct {
	entries       []modelEntry
	waiting       []*modelWaiter // in order of arrival
	registrations map[uint64]*modelRegistration
	now           int64
}

type modelWaiter struct {
	w   *Waiter
	got []uint64
}

type modelRegistration struct {
	q   *Query
	seq uint64
}

// offer shows a newly visible entry to everyone: events, then all waiting reads, then the first waiting take.
func (m *model) offer(e modelEntry) (events []Event) {
	wanted := func(q *Query) bool {
		return slices.ContainsFunc(q.Templates, func(t Template) bool { return m.matches(&t, &e) })
	}
	for id, reg := range m.registrations {
		if wanted(reg.q) {
			reg.seq++
			events = append(events, Event{Registration: id, Seq: reg.seq, Entry: View{ID: e.id}})
		}
	}
	for _, take := range []bool{false, true} {
		for _, w := range m.waiting {
			if q := w.w.Query; q.Take == take && len(w.got) < q.Max && wanted(q) {
				w.got = append(w.got, e.id)
				if take {
					m.remove(e.id)
					break
				}
			}
		}
	}
	return events
}

func (m *model) expire() {
	m.entries = slices.DeleteFunc(m.entries, func(e modelEntry) bool { return e.expires <= m.now })
}

func (m *model) matches(t *Template, e *modelEntry) bool {
	if t.Kind == 0 {
		return true
	}
	if t.Kind != e.kind && (t.Kind != animalKind || e.kind != dogKind) {
		return false
	}
	for _, c := range t.Conds {
		f := c.Field
		if t.Kind == animalKind {
			f = animalFields[e.kind][f]
		}
		if !c.Match(e.row.Field(f)) {
			return false
		}
	}
	return true
}

func (m *model) find(q *Query) []modelEntry {
	var found []modelEntry
	for i := range m.entries {
		if slices.ContainsFunc(q.Templates, func(t Template) bool { return m.matches(&t, &m.entries[i]) }) {
			found = append(found, m.entries[i])
		}
	}
	slices.SortStableFunc(found, func(a, b modelEntry) int {
		for _, o := range q.Order {
			fa, fb := o.Field, o.Field
			if q.Templates[0].Kind == animalKind {
				fa, fb = animalFields[a.kind][fa], animalFields[b.kind][fb]
			}
			if c := bytes.Compare(a.row.Field(fa), b.row.Field(fb)); c != 0 {
				if o.Desc {
					return -c
				}
				return c
			}
		}
		return 0
	})
	return found
}

func (m *model) remove(id uint64) bool {
	i := slices.IndexFunc(m.entries, func(e modelEntry) bool { return e.id == id })
	if i >= 0 {
		m.entries = slices.Delete(m.entries, i, i+1)
	}
	return i >= 0
}

// values of the random programs: few, so that they meet.
func randomValue(r *rand.Rand, c template.Class) template.Value {
	switch c {
	case template.Bool:
		return template.AppendBool(nil, r.IntN(2) == 0)
	case template.Int:
		return template.AppendInt(nil, int64(r.IntN(12)-6)*100)
	case template.Float:
		return template.AppendFloat(nil, float64(r.IntN(8)-4)/2)
	}
	return template.AppendString(nil, []string{"", "a", "ab", "abc", "b", "a long name that shares its first bytes: 1", "a long name that shares its first bytes: 2"}[r.IntN(7)])
}

func randomRow(r *rand.Rand, s *template.Schema) template.Row {
	var row []byte
	end := 0
	for _, f := range s.Fields {
		if r.IntN(8) == 0 {
			row = append(row, 0)
			continue
		}
		v := randomValue(r, f.Class)
		row = append(append(row, byte(len(v))), v...)
		end = len(row)
	}
	return row[:end]
}

func randomCond(r *rand.Rand, s *template.Schema) template.Cond {
	f := r.IntN(len(s.Fields))
	c := s.Fields[f].Class
	v := randomValue(r, c)
	switch op := template.Op(1 + r.IntN(int(template.NotNull))); {
	case op == template.IsNull || op == template.NotNull:
		return template.Cond{Field: f, Op: op}
	case op == template.In:
		return template.Cond{Field: f, Op: op, Values: []template.Value{v, randomValue(r, c), v}}
	case op == template.Prefix && c != template.String:
		return template.Cond{Field: f, Op: template.Eq, Value: v}
	case r.IntN(3) == 0:
		return template.Cond{Field: f, Op: template.Eq, Value: v}
	default:
		return template.Cond{Field: f, Op: op, Value: v}
	}
}

var schemas = []*template.Schema{animal, dog, stone}

func randomTemplate(r *rand.Rand) Template {
	kind := KindID(r.IntN(4))
	t := Template{Kind: kind}
	if kind > 0 {
		for range r.IntN(3) {
			t.Conds = append(t.Conds, randomCond(r, schemas[kind-1]))
		}
	}
	return t
}

func randomQuery(r *rand.Rand) *Query {
	q := &Query{Templates: []Template{randomTemplate(r)}, Max: 1, Take: r.IntN(3) == 0}
	if r.IntN(4) == 0 {
		q.Max = 1 + r.IntN(10)
	}
	switch t := q.Templates[0]; {
	case r.IntN(6) == 0:
		q.Templates = append(q.Templates, randomTemplate(r))
	case t.Kind > 0 && r.IntN(4) == 0:
		n := len(schemas[t.Kind-1].Fields)
		q.Order = append(q.Order, template.Order{Field: r.IntN(n), Desc: r.IntN(2) == 0})
		if r.IntN(2) == 0 {
			q.Order = append(q.Order, template.Order{Field: r.IntN(n), Desc: r.IntN(2) == 0})
		}
	}
	return q
}

func newTestEngine(tb testing.TB) *Engine {
	e := New(Limits{}, 0)
	for i, s := range schemas {
		r := e.Register(1, s)
		require.NoError(tb, r.Err)
		require.Equal(tb, i+1, r.Count)
	}
	return e
}

func TestEngine_CannotBeToldFromTheModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 7))
			p := &program{t: t, r: r, e: newTestEngine(t), m: &model{now: 1, registrations: map[uint64]*modelRegistration{}}}
			// In some programs the space is small and in some large, so that indexes start and end.
			p.size = 1 << (3 + seed%8)
			for range 4000 {
				p.step()
			}
			p.requireReplayEqual()
		})
	}
}

type program struct {
	t    *testing.T
	r    *rand.Rand
	e    *Engine
	m    *model
	size int
}

func (p *program) step() {
	if p.r.IntN(10) == 0 {
		p.m.now += int64(p.r.IntN(3)) << (tickShift - 1)
	}
	p.m.expire()
	switch n := p.r.IntN(24); {
	case n == 20:
		p.park()
	case n == 21:
		p.unpark()
	case n >= 22:
		p.register()
	case n < 8 && len(p.m.entries) < p.size:
		p.write()
	case n < 17:
		p.find()
	case n == 17:
		p.count()
	case n == 18:
		p.renew()
	default:
		p.cancel()
	}
}

func (p *program) write() {
	drafts := make([]Draft, 1+p.r.IntN(3))
	for i := range drafts {
		kind := KindID(1 + p.r.IntN(3))
		drafts[i] = Draft{Kind: kind, Row: randomRow(p.r, schemas[kind-1]), Lease: Forever}
		if p.r.IntN(3) == 0 {
			drafts[i].Lease = int64(p.r.IntN(20)) << (tickShift - 1)
		}
	}
	r := p.e.Write(p.m.now, txn.ID{}, Request{}, drafts)
	require.NoError(p.t, r.Err)
	for i, d := range drafts {
		require.Equal(p.t, d.Lease, r.Grants[i].Granted)
		expires := int64(Forever)
		if d.Lease != Forever {
			expires = p.m.now + d.Lease
		}
		p.m.entries = append(p.m.entries, modelEntry{r.Grants[i].ID, d.Kind, d.Row, expires})
	}
	p.requireServed(slices.Clone(p.m.entries[len(p.m.entries)-len(drafts):]))
}

// requireServed checks whom a write has served.
func (p *program) requireServed(written []modelEntry) {
	var want []Event
	for _, e := range written {
		if e.expires > p.m.now {
			want = append(want, p.m.offer(e)...)
		}
	}
	p.m.expire()
	got := make([]Event, len(p.e.Events))
	for i, ev := range p.e.Events {
		got[i] = Event{Registration: ev.Registration, Seq: ev.Seq, Entry: View{ID: ev.Entry.ID}}
	}
	require.ElementsMatch(p.t, want, got)
	granted := map[*Waiter][]uint64{}
	for _, w := range p.e.Granted {
		for _, v := range w.Got {
			granted[w] = append(granted[w], v.ID)
		}
	}
	p.m.waiting = slices.DeleteFunc(p.m.waiting, func(w *modelWaiter) bool {
		require.Equal(p.t, w.got, granted[w.w], "%+v", w.w.Query)
		delete(granted, w.w)
		return len(w.got) > 0
	})
	require.Empty(p.t, granted)
}

func (p *program) park() {
	q := randomQuery(p.r)
	q.Order = nil
	if len(p.m.find(q)) == 0 {
		p.m.waiting = append(p.m.waiting, &modelWaiter{w: p.e.Park(q, nil)})
	}
}

func (p *program) unpark() {
	if n := len(p.m.waiting); n > 0 {
		i := p.r.IntN(n)
		require.True(p.t, p.e.Unpark(p.m.waiting[i].w))
		require.False(p.t, p.e.Unpark(p.m.waiting[i].w))
		p.m.waiting = slices.Delete(p.m.waiting, i, i+1)
	}
}

func (p *program) register() {
	if len(p.m.registrations) < 4 {
		q := &Query{Templates: []Template{randomTemplate(p.r), randomTemplate(p.r)}, Max: 1}
		r := p.e.Notify(p.m.now, q, Events(Written), Forever)
		require.NoError(p.t, r.Err)
		p.m.registrations[r.Grants[0].ID] = &modelRegistration{q: q}
		return
	}
	for id, reg := range p.m.registrations {
		seq, ok := p.e.Registered(id)
		require.True(p.t, ok)
		require.Equal(p.t, reg.seq, seq)
		if p.r.IntN(4) == 0 {
			require.NoError(p.t, p.e.Cancel(p.m.now, Request{}, []uint64{id}).Errs[0])
			delete(p.m.registrations, id)
			return
		}
	}
}

func (p *program) find() {
	q := randomQuery(p.r)
	require.NoError(p.t, p.e.Check(q))
	want := p.m.find(q)
	want = want[:min(len(want), q.Max)]
	r := p.e.Find(p.m.now, q)
	if len(want) == 0 {
		require.ErrorIs(p.t, r.Err, ErrNoMatch, "%+v", q)
		return
	}
	require.NoError(p.t, r.Err)
	require.Len(p.t, r.Entries, len(want), "%+v", q)
	for i, v := range r.Entries {
		require.Equal(p.t, want[i].id, v.ID, "%+v", q)
		require.Equal(p.t, want[i].kind, v.Kind)
		require.Equal(p.t, string(want[i].row), string(v.Row))
	}
	for _, e := range want {
		if q.Take {
			p.m.remove(e.id)
		}
	}
}

func (p *program) count() {
	q := randomQuery(p.r)
	want := p.m.find(q)
	require.Equal(p.t, len(want), p.e.Count(p.m.now, q).Count, "%+v", q)
	var ids, all []uint64
	for _, e := range want {
		ids = append(ids, e.id)
	}
	for cursor, more := uint64(0), true; more; {
		r := p.e.Contents(p.m.now, q, cursor)
		for _, v := range r.Entries {
			all = append(all, v.ID)
		}
		cursor, more = r.Cursor, r.More
	}
	slices.Sort(ids)
	slices.Sort(all)
	require.Equal(p.t, ids, all)
}

func (p *program) pick() uint64 {
	if len(p.m.entries) == 0 {
		return 1 << 40
	}
	return p.m.entries[p.r.IntN(len(p.m.entries))].id
}

func (p *program) renew() {
	id, d := p.pick(), int64(p.r.IntN(20))<<(tickShift-1)
	r := p.e.Renew(p.m.now, Request{}, d, []uint64{id})
	i := slices.IndexFunc(p.m.entries, func(e modelEntry) bool { return e.id == id })
	if i < 0 {
		require.ErrorIs(p.t, r.Errs[0], ErrLeaseEnded)
		return
	}
	require.NoError(p.t, r.Errs[0])
	require.Equal(p.t, d, r.Grants[0].Granted)
	p.m.entries[i].expires = p.m.now + d
}

func (p *program) cancel() {
	id := p.pick()
	r := p.e.Cancel(p.m.now, Request{}, []uint64{id, id})
	require.Equal(p.t, p.m.remove(id), r.Errs[0] == nil)
	require.ErrorIs(p.t, r.Errs[1], ErrLeaseEnded)
}

// requireReplayEqual rebuilds the state from the records.
func (p *program) requireReplayEqual() {
	e := New(Limits{}, 0)
	require.NoError(p.t, e.Apply(p.e.Log))
	require.Equal(p.t, p.e.Hash(), e.Hash())
	p.e.Expire(p.m.now)
	e.Expire(p.m.now)
	ids := func(e *Engine) (ids []uint64) {
		for _, v := range e.find(&Query{Templates: []Template{{}}, Max: 1 << 30}, nil) {
			ids = append(ids, v.k.entries.at(v.s).id)
		}
		return ids
	}
	require.Equal(p.t, ids(p.e), ids(e))
	require.True(p.t, slices.IsSortedFunc(ids(e), cmp.Compare))
}
