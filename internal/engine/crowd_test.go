package engine

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// wide is a kind with many fields.
func wide() *template.Schema {
	s := &template.Schema{Kind: "wide"}
	for i := range 40 {
		s.Fields = append(s.Fields, template.Field{Name: fmt.Sprint("f", i), Class: template.Int})
	}
	return s
}

// wideRow has the same value in every field.
func wideRow(value int64) template.Row {
	v := template.AppendInt(nil, value)
	var row template.Row
	for range 40 {
		row = append(append(row, byte(len(v))), v...)
	}
	return row
}

// looked returns how many nodes, and how many groups, a write of an entry examines.
func looked(e *Engine, kind call.KindID, id uint64, row template.Row) (nodes, groups int) {
	for _, w := range []*watch{&e.anyKind, &e.kinds[kind-1].watch} {
		groups += len(w.groups)
		for _, g := range w.groups {
			b, _ := g.bucket(e, id, row, nil)
			nodes += b.n
		}
	}
	return nodes, groups
}

// Calls that wait with thousands of combinations of fields cost little to a write that matches none of them, whatever
// fields they fix.
func TestWatch_CombinationsOfFieldsCostWritesLittle(t *testing.T) {
	t.Parallel()
	e := New(Config{}, 0)
	e.Register(0, wide())
	var waiters []*Waiter
	for n := range 20_000 {
		q := &call.Query{Max: 1, Templates: []call.Template{{Kind: 1}}}
		for f := range 15 {
			if n+1>>f&1 != 0 {
				q.Templates[0].Conds = append(q.Templates[0].Conds,
					template.Cond{Field: f, Op: template.Eq, Value: template.AppendInt(nil, 7)})
			}
		}
		require.ErrorIs(t, e.Find(1, q).Err, call.ErrNoMatch)
		waiters = append(waiters, e.Park(q, nil))
	}
	nodes, groups := looked(e, 1, 1, wideRow(6))
	require.Zero(t, nodes)
	require.LessOrEqual(t, groups, maxSets+64+1)

	e.Write(2, txn.ID{}, call.Request{}, []call.Draft{{Kind: 1, Row: wideRow(6), Lease: call.Forever}})
	require.Empty(t, e.Granted)
	e.Write(2, txn.ID{}, call.Request{}, []call.Draft{{Kind: 1, Row: wideRow(7), Lease: call.Forever}})
	require.Len(t, e.Granted, len(waiters), "each is found where it is filed")
	for i, w := range e.Granted {
		require.False(t, w.parked, i)
	}
	e.kinds[0].watch.drop()
	require.Zero(t, e.kinds[0].watch.sets)
}

// A call that waits for one entry costs time only to writes of that entry.
func TestWatch_CallsForOneEntryAreFoundByIt(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	tx := e.Begin(1, call.Forever, call.Request{}, "").Grants[0].ID
	var drafts []call.Draft
	for i := range 1000 {
		drafts = append(drafts, aStone(int64(i)))
	}
	e.Write(1, txn.ID{}, call.Request{}, drafts)
	var waiters []*Waiter
	for range 1000 {
		r := e.Find(1,
			&call.Query{Templates: []call.Template{{Kind: stoneKind}}, Max: 1, Take: true, Txn: txn.ID{Number: tx}})
		require.NoError(t, r.Err)
		q := &call.Query{Templates: []call.Template{{Kind: stoneKind}}, Max: 1, ID: r.Entries[0].ID}
		require.ErrorIs(t, e.Find(1, q).Err, call.ErrNoMatch)
		waiters = append(waiters, e.Park(q, nil))
		require.NotNil(t, waiters[len(waiters)-1])
	}
	nodes, _ := looked(e, stoneKind, 1<<40, aStone(3).Row)
	require.Zero(t, nodes, "none waits for that one")
	nodes, _ = looked(e, stoneKind, waiters[5].Query.ID, aStone(5).Row)
	require.Equal(t, 1, nodes)
	require.NoError(t, e.Abort(1, txn.ID{Number: tx}).Err)
	require.Len(t, e.Granted, 1000)
}

// A registration that is renewed again and again takes no more memory than one that is not.
func TestRenew_OfRegistrationsTakesNoMemory(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	q := &call.Query{Templates: []call.Template{{Kind: stoneKind}}, Max: 1}
	id := e.Notify(1, q, call.Events(call.Written), 1<<40).Grants[0].ID
	for i := range int64(10_000) {
		require.NoError(t, e.Renew(1+i<<tickShift, call.Request{}, 1<<40+i, []uint64{id}).Errs[0])
	}
	require.LessOrEqual(t, len(e.ending), 2)
	require.LessOrEqual(t, len(e.deadlines), 2)
	last := int64(10_000)<<tickShift + 1<<40
	_, ok := e.Registered(id)
	require.True(t, ok)
	e.Expire(last - 2<<tickShift)
	_, ok = e.Registered(id)
	require.True(t, ok, "it ends when its last lease does")
	e.Expire(last + 3<<tickShift)
	require.Equal(t, []uint64{id}, e.Ended)
	require.Empty(t, e.ending)
}
