package partition_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// crowd starts a partition with n jobs, with keys from 0 on.
func crowd(t *testing.T, n int) (*partition.Partition, *caller) {
	t.Helper()
	p, c := start(t, nil), newCaller()
	p.Register(c, 1, job)
	for first := 0; first < n; first += call.DefaultTxnEntries {
		var drafts []call.Draft
		for i := first; i < min(n, first+call.DefaultTxnEntries); i++ {
			drafts = append(drafts, draft(int64(i))...)
		}
		p.Write(c, 2, txn.ID{}, call.Request{}, drafts)
		require.NoError(t, c.await(2).err)
		c.forget(2)
	}
	return p, c
}

// endless is a query that takes minutes over ten thousand entries.
func endless() *call.Query {
	q := &call.Query{Max: 1}
	for i := range 1024 {
		in := template.Cond{Field: 0, Op: template.In}
		for j := range 14 {
			in.Values = append(in.Values, template.AppendInt(nil, -int64(14*i+j)-1))
		}
		q.Templates = append(q.Templates, call.Template{Kind: 1, Conds: []template.Cond{in}})
	}
	return q
}

func unequal(key int64) *call.Query {
	q := query(key, false)
	q.Templates[0].Conds[0].Op = template.Ne
	return q
}

func TestSteps_OthersAreServedMeanwhile(t *testing.T) {
	t.Parallel()
	p, c := crowd(t, 20_000)
	p.Count(c, 3, endless())
	p.Find(c, 4, endless(), 0)
	p.Find(c, 5, endless(), -1)
	p.Write(c, 6, txn.ID{}, call.Request{}, draft(77))
	require.NoError(t, c.await(6).err)
	p.Find(c, 7, query(77, true), 0)
	require.NoError(t, c.await(7).err)
	for callID := uint64(3); callID <= 5; callID++ {
		require.True(t, c.waiting(callID))
	}
	require.Equal(t, 3, p.Stats().Waiting)

	p.CancelWait(c, 3)
	p.CancelWait(c, 4)
	require.ErrorIs(t, c.await(3).err, call.ErrCancelled)
	require.ErrorIs(t, c.await(4).err, call.ErrCancelled)
	require.NoError(t, p.Close())
	require.ErrorIs(t, c.await(5).err, call.ErrClosed)
}

func TestSteps_EndWithTheirCaller(t *testing.T) {
	t.Parallel()
	p, _ := crowd(t, 20_000)
	c := newCaller()
	p.Count(c, 3, endless())
	p.Find(c, 4, endless(), -1)
	p.Gone(c)
	require.Zero(t, p.Stats().Waiting)
	require.ErrorIs(t, c.await(3).err, call.ErrCancelled)
	require.ErrorIs(t, c.await(4).err, call.ErrCancelled)
}

func TestSteps_EndWithTheirTransaction(t *testing.T) {
	t.Parallel()
	p, c := crowd(t, 20_000)
	p.BeginTxn(c, 3, call.Forever, call.Request{}, "")
	q := endless()
	q.Txn = txn.ID{Number: c.await(3).grants[0].ID}
	p.Find(c, 4, q, -1)
	p.Abort(c, 5, q.Txn)
	require.ErrorIs(t, c.await(4).err, call.ErrTxnEnded)
}

func TestSteps_OutcomesAreWhole(t *testing.T) {
	t.Parallel()
	const n = 60_000
	p, c := crowd(t, n)
	p.Count(c, 3, unequal(0))
	require.Equal(t, n-1, c.await(3).count)

	last := unequal(n)
	last.Take, last.Order = true, []template.Order{{Field: 0, Desc: true}}
	p.Find(c, 4, last, 0)
	require.Equal(t, rowOf(n-1), c.await(4).entries[0].Row)

	many := unequal(0)
	many.Max = call.MaxFind
	p.Find(c, 5, many, 0)
	require.Len(t, c.await(5).entries, many.Max)
	require.Equal(t, rowOf(1), c.await(5).entries[0].Row)
}

func TestSteps_CallWaitsWhenItHasFoundNothing(t *testing.T) {
	t.Parallel()
	const n = 60_000
	p, c := crowd(t, n)
	p.Find(c, 3, query(n, true), -1)
	require.True(t, c.waiting(3), "it has looked at some of them")
	p.Find(c, 4, query(n+1, true), 0)
	require.ErrorIs(t, c.await(4).err, call.ErrNoMatch)
	p.Find(c, 5, query(n+2, true), time.Nanosecond)
	require.ErrorIs(t, c.await(5).err, call.ErrNoMatch)
	p.Write(c, 6, txn.ID{}, call.Request{}, draft(n))
	require.Len(t, c.await(3).entries, 1)
}

func TestSteps_QueryWithTooManyOperandsIsRefused(t *testing.T) {
	t.Parallel()
	p, c := crowd(t, 1)
	q := endless()
	in := &q.Templates[0].Conds[0]
	for len(in.Values) < template.MaxOperands {
		in.Values = append(in.Values, in.Values[0])
	}
	for i := range q.Templates {
		q.Templates[i] = q.Templates[0]
	}
	p.Count(c, 3, q)
	require.ErrorIs(t, c.await(3).err, call.ErrInvalidArgument)
	p.Find(c, 4, q, 0)
	require.ErrorIs(t, c.await(4).err, call.ErrInvalidArgument)
}
