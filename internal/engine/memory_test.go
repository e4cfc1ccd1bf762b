package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/store"
	"github.com/gospaces/gospaces/txn"
)

// requireCounted compares the memory counters with a full count.
func requireCounted(t testing.TB, e *Engine) {
	t.Helper()
	var tables []*store.Table
	for _, k := range e.kinds {
		tables = append(tables, &k.Table)
	}
	require.NoError(t, e.store.Audit(tables...))
	watched, kept := int64(0), int64(0)
	for _, r := range e.registrations {
		watched += int64(r.query.Weight())
	}
	for _, s := range e.sessions.byID {
		kept += sessionBytes + int64(cap(s.kept.buf))
	}
	require.Equal(t, watched, e.watched)
	require.Equal(t, kept, e.sessions.bytes)
}

func TestMemory_IsGivenBack(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	empty := e.Memory()
	large := aStone(1)
	large.Row = append(large.Row, make([]byte, 40<<10)...)
	var drafts []call.Draft
	for i := range 20 << 10 {
		drafts = append(drafts, aStone(int64(i)))
	}
	drafts = append(drafts, large)
	r := e.Write(1, txn.ID{}, call.Request{}, drafts)
	require.NoError(t, r.Err)
	requireCounted(t, e)
	require.Greater(t, e.Memory(), empty+20<<10*96+40<<10)
	require.False(t, e.Fits(drafts[:1]), "no memory is free")

	q := &call.Query{Templates: []call.Template{{Kind: stoneKind}}, Max: 4096, Take: true}
	require.NoError(t, e.Find(1, q).Err)
	require.NoError(t, e.Find(1, q).Err)
	require.True(t, e.Fits(drafts[:1]), "others have left some")
	require.False(t, e.Fits([]call.Draft{large}))
	for e.Find(1, q).Err == nil {
		e.Log = e.Log[:0]
	}
	e.Expire(2)
	requireCounted(t, e)
	require.Less(t, e.Memory(), empty+2*64<<10, "of each class one block stays")
}

func TestMemory_FollowsUpdatesAndRollbacks(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	r := e.Write(1, txn.ID{}, call.Request{}, []call.Draft{aStone(1)})
	id := r.Grants[0].ID
	before := e.Use(stoneKind)
	longer := aStone(1 << 40).Row
	tx := e.Begin(1, call.Forever, call.Request{}, "").Grants[0].ID
	require.NoError(t, e.Update(1, txn.ID{Number: tx}, call.Request{}, call.Change{ID: id, Row: longer}).Err)
	requireCounted(t, e)
	require.Greater(t, e.Use(stoneKind).Bytes, before.Bytes)
	require.NoError(t, e.Abort(1, txn.ID{Number: tx}).Err)
	requireCounted(t, e)
	require.Equal(t, before, e.Use(stoneKind))
	require.NoError(t, e.Update(1, txn.ID{}, call.Request{}, call.Change{ID: id, Row: longer}).Err)
	requireCounted(t, e)
}
