package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/txn"
)

// counted returns what the counters of memory say, made by looking at everything.
func counted(e *Engine) (chunks, bytes int, perKind []Use) {
	for i := range e.arena.classes {
		c := &e.arena.classes[i]
		bytes += len(c.blocks) * c.unit << c.shift
	}
	for _, row := range e.arena.large {
		bytes += len(row)
	}
	for _, k := range e.kinds {
		chunks += len(k.entries.chunks)
		u := Use{}
		for s := slot(1); s <= k.unused; s++ {
			if en := k.entries.at(s); en.id != 0 {
				u.Entries++
				u.Bytes += int(en.size)
			}
		}
		perKind = append(perKind, u)
	}
	return chunks, bytes, perKind
}

// requireCounted compares the counters of memory with what there is.
func requireCounted(t testing.TB, e *Engine) {
	t.Helper()
	chunks, bytes, kinds := counted(e)
	require.Equal(t, chunks, e.chunks)
	require.Equal(t, int64(bytes), e.arena.bytes)
	for i, u := range kinds {
		require.Equal(t, u, e.Use(KindID(i+1)))
	}
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
	var drafts []Draft
	for i := range 20 * chunkSize {
		drafts = append(drafts, aStone(int64(i)))
	}
	drafts = append(drafts, large)
	r := e.Write(1, txn.ID{}, Request{}, drafts)
	require.NoError(t, r.Err)
	requireCounted(t, e)
	require.Greater(t, e.Memory(), empty+20*chunkBytes+40<<10)
	require.False(t, e.Fits(drafts[:1]), "nobody has left any")

	q := &Query{Templates: []Template{{Kind: stoneKind}}, Max: 4096, Take: true}
	require.NoError(t, e.Find(1, q).Err)
	require.NoError(t, e.Find(1, q).Err)
	require.True(t, e.Fits(drafts[:1]), "others have left some")
	require.False(t, e.Fits([]Draft{large}))
	for e.Find(1, q).Err == nil {
		e.Log = e.Log[:0]
	}
	e.Expire(2)
	requireCounted(t, e)
	require.Less(t, e.Memory(), empty+2*blockBytes, "of each class one block stays")
}

func TestMemory_FollowsUpdatesAndRollbacks(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	r := e.Write(1, txn.ID{}, Request{}, []Draft{aStone(1)})
	id := r.Grants[0].ID
	before := e.Use(stoneKind)
	longer := aStone(1 << 40).Row
	tx := e.Begin(1, Forever, Request{}, "").Grants[0].ID
	require.NoError(t, e.Update(1, txn.ID{Number: tx}, Request{}, Change{ID: id, Row: longer}).Err)
	requireCounted(t, e)
	require.Greater(t, e.Use(stoneKind).Bytes, before.Bytes)
	require.NoError(t, e.Abort(1, txn.ID{Number: tx}).Err)
	requireCounted(t, e)
	require.Equal(t, before, e.Use(stoneKind))
	require.NoError(t, e.Update(1, txn.ID{}, Request{}, Change{ID: id, Row: longer}).Err)
	requireCounted(t, e)
}
