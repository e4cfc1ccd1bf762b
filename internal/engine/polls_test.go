package engine

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// A task has a state (one of three), a priority (one of ten, or null), a unique time when it is due, and a unique
// number, which falls.
var task = &template.Schema{Kind: "task", Fields: []template.Field{
	{Name: "state", Class: template.Int},
	{Name: "prio", Class: template.Int},
	{Name: "due", Class: template.Int},
	{Name: "number", Class: template.Int},
}}

const (
	taskState = iota
	taskPrio
	taskDue
	taskNumber
)

// taskRow returns the row of the i-th of n tasks: due times do not follow age.
func taskRow(i, n int) template.Row {
	var row template.Row
	prio := template.AppendInt(nil, int64(i%10))
	if i%10 == 0 {
		prio = nil
	}
	due := int64(i) * 7919 % int64(n)
	for _, v := range []template.Value{
		template.AppendInt(nil, int64(i%3)), prio, template.AppendInt(nil, due), template.AppendInt(nil, int64(n-i)),
	} {
		row = append(append(row, byte(len(v))), v...)
	}
	return row
}

func tasks(tb testing.TB, n int) *Engine {
	e := New(Config{}, 0)
	require.NoError(tb, e.Register(0, task).Err)
	for i := range n {
		e.Write(0, txn.ID{}, call.Request{}, []call.Draft{{Kind: 1, Row: taskRow(i, n), Lease: call.Forever}})
		e.Log = e.Log[:0]
	}
	return e
}

// poll is a query that asks for one of many tasks repeatedly.
type poll struct {
	name string
	q    call.Query
}

// polls returns typical polls on n tasks.
func polls(n int) []poll {
	is := func(field, v int, op template.Op) template.Cond {
		return template.Cond{Field: field, Op: op, Value: template.AppendInt(nil, int64(v))}
	}
	by := func(fields ...int) (order []template.Order) {
		for _, f := range fields {
			order = append(order, template.Order{Field: max(f, -f), Desc: f < 0})
		}
		return order
	}
	in := template.Cond{Field: taskState, Op: template.In, Values: []template.Value{
		template.AppendInt(nil, 0), template.AppendInt(nil, 2),
	}}
	return []poll{
		{"a cursor", query(by(taskDue), is(taskDue, n/2, template.Ge))},
		{"a cursor backwards", query(by(-taskDue), is(taskDue, n/2, template.Lt))},
		{"a page", query(by(taskDue), is(taskDue, n/2+n/50, template.Gt), is(taskDue, n/2+n/50+n/500, template.Le))},
		{"nothing due", query(by(taskDue), is(taskDue, -1, template.Le))},
		{"nothing due, by age", query(nil, is(taskDue, -1, template.Le))},
		{"nothing due, the most urgent", query(by(-taskPrio), is(taskDue, -1, template.Le))},
		{"the most urgent that is due", query(by(-taskPrio), is(taskDue, n/2, template.Le))},
		{"the most urgent that is due, and was due first", query(by(-taskPrio, taskDue), is(taskDue, n/2, template.Le))},
		{
			"the oldest within a range",
			query(nil, is(taskDue, n/2+n/50, template.Gt), is(taskDue, n/2+n/50+n/500, template.Le)),
		},
		{"the oldest of a state within a range", query(nil, is(taskState, 1, template.Eq), is(taskDue, n-n/50, template.Gt))},
		{"the first of a state", query(by(taskNumber), is(taskState, 1, template.Eq))},
		{"the first of two states", query(by(-taskPrio, taskNumber), in)},
		{
			"the most urgent of a state that is due",
			query(by(-taskPrio), is(taskState, 1, template.Eq), is(taskDue, n/2, template.Lt)),
		},
		{"null first", query(by(taskPrio, -taskNumber))},
		{"the first that is not null", query(by(taskPrio, taskNumber), template.Cond{Field: taskPrio, Op: template.NotNull})},
		{"an order by what is fixed", query(by(taskState, taskNumber), is(taskState, 2, template.Eq))},
	}
}

func query(order []template.Order, conds ...template.Cond) call.Query {
	return call.Query{Max: 1, Order: order, Templates: []call.Template{{Kind: 1, Conds: conds}}}
}

// enough is the number of entries, with conditions, that a poll may examine.
const enough = 128

// learn repeats a call until it examines few entries. The engine has to find out which indexes to have.
func learn(tb testing.TB, e *Engine, q *call.Query) {
	for calls := 0; ; calls++ {
		require.Less(tb, calls, 100_000)
		r, x := e.StartFind(0, enough, q)
		if x == nil {
			return
		}
		x.finish(0, r)
		e.Work(unbounded)
		e.Log = e.Log[:0]
	}
}

// The cost of a poll does not depend on the number of other entries, including locked, delayed and taken ones.
func TestPolls_LookAtFewEntries(t *testing.T) {
	t.Parallel()
	const n = 5000
	for _, p := range polls(n) {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			e := tasks(t, n)
			learn(t, e, &p.q)
			for i := range 20 { // each holds what it finds
				want := lookAtAll(e, &p.q)
				p.q.Take, p.q.Txn = true, under(e.Begin(0, call.Forever, call.Request{}, "").Grants[0].ID)
				r, x := e.StartFind(0, enough, &p.q)
				require.Nil(t, x, "it looks at more than %d", enough)
				require.Equal(t, want, identities(r.Entries))
				if len(want) == 0 {
					require.ErrorIs(t, r.Err, call.ErrNoMatch)
				} else if i%2 == 0 {
					require.NoError(t, e.Defer(0, p.q.Txn, want[0], call.MaxDelay).Err)
					require.NoError(t, e.Commit(0, p.q.Txn, call.Request{}, nil).Err)
				}
				e.Log = e.Log[:0]
			}
			p.q.Take, p.q.Txn = false, txn.ID{}
			want := lookAtAll(e, &p.q)
			r, x := e.StartFind(0, enough, &p.q)
			require.Nil(t, x)
			require.Equal(t, want, identities(r.Entries))
		})
	}
}

func BenchmarkPolls(b *testing.B) {
	for _, n := range []int{1000, 100_000, 1_000_000} {
		e := tasks(b, n)
		for _, p := range polls(n) {
			b.Run(fmt.Sprintf("%s/%d", p.name, n), func(b *testing.B) {
				learn(b, e, &p.q)
				for b.Loop() {
					e.Find(0, &p.q)
				}
			})
		}
	}
}
