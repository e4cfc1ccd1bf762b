package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/internal/store"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// sought returns an engine with n jobs of different keys, after enough queries by key to start an index. Its log is
// kept.
func sought(t *testing.T, n int) *Engine {
	t.Helper()
	e := New(Config{}, 0)
	require.NoError(t, e.Register(0, job).Err)
	for i := range n {
		require.NoError(t,
			e.Write(0, txn.ID{}, call.Request{}, []call.Draft{{Kind: jobKind, Row: appendJob(nil, i), Lease: call.Forever}}).Err)
	}
	for range 4 {
		require.NoError(t, e.Find(0, byKey(n-1, false)).Err)
	}
	require.NotNil(t, e.kinds[0].Free.Index(byJob))
	return e
}

var byJob = store.Shape{Eq: 1}

// looks returns how many entries e examines to find the job with a key.
func looks(t *testing.T, e *Engine, key int) int {
	t.Helper()
	e.left = unbounded
	s := e.scan(e.kinds[0], &e.kinds[0].Free, byKey(key, false).Templates[0].Conds)
	require.NotZero(t, s.next())
	return s.seen
}

func TestUpkeep_IndexIsBuiltInSteps(t *testing.T) {
	t.Parallel()
	e := sought(t, 1000)
	require.True(t, e.Busy())
	lsn := e.LSN()
	for range 9 {
		e.Work(100)
		require.Equal(t, 1000, looks(t, e, 999), "it is not asked before it is complete")
	}
	require.NoError(t, e.Find(0, byKey(10, true)).Err, "an entry that it has")
	require.NoError(t, e.Find(0, byKey(990, true)).Err, "an entry that it does not have yet")
	e.Work(100)
	require.False(t, e.Busy())
	require.Equal(t, 1, looks(t, e, 999))
	require.ErrorIs(t, e.Find(0, byKey(10, true)).Err, call.ErrNoMatch)
	require.ErrorIs(t, e.Find(0, byKey(990, true)).Err, call.ErrNoMatch)
	require.Equal(t, lsn+2, e.LSN(), "that it is built changes nothing")
}

// byPrio asks for the most urgent task.
func byPrio() *call.Query {
	return &call.Query{
		Max: 1, Order: []template.Order{{Field: taskPrio, Desc: true}}, Templates: []call.Template{{Kind: 1}},
	}
}

// An index takes longer to build than one search takes to examine what is left.
func TestUpkeep_LoneSearchDoesNotWaitForTheIndexThatItStarts(t *testing.T) {
	t.Parallel()
	const n = 5000
	e := tasks(t, n)
	q := byPrio()
	r, x := e.StartFind(0, n/10, q)
	require.NotNil(t, x)
	for done := false; !done; r, done = x.Step(0, n/10) {
		require.False(t, x.Blocked())
	}
	require.True(t, e.Busy(), "the index has begun")
	require.Equal(t, lookAtAll(e, q), identities(r.Entries))
}

func TestUpkeep_ManySearchesWaitForTheirIndex(t *testing.T) {
	t.Parallel()
	const n, many, step = 5000, 64, 50
	e := tasks(t, n)
	searches := make([]*Search, many)
	for i := range searches {
		_, searches[i] = e.StartFind(0, step, byPrio())
		require.NotNil(t, searches[i])
	}
	steps := 0
	for blocked := 0; blocked < many; {
		blocked = 0
		for _, x := range searches {
			if x.Blocked() {
				blocked++
				continue
			}
			_, done := x.Step(0, step)
			require.False(t, done)
			if e.Busy() {
				steps++
			}
		}
	}
	require.LessOrEqual(t, steps, n/patience/step+2*many)
	e.Work(unbounded)
	want := lookAtAll(e, byPrio())
	for _, x := range searches {
		r, done := x.Step(0, step)
		require.True(t, done)
		require.Equal(t, want, identities(r.Entries))
	}
}

func TestUpkeep_ReplicaHasTheSameIndexes(t *testing.T) {
	t.Parallel()
	e := sought(t, 1000)
	replica := applied(t, e.Log)
	require.True(t, replica.Busy())
	replica.Work(1000)
	require.Equal(t, 1, looks(t, replica, 999))

	k := e.kinds[0]
	e.Log = nil
	e.dropIndex(k, &k.Free, k.Free.Index(byJob))
	require.NoError(t, replica.Apply(e.Log))
	require.Empty(t, replica.kinds[0].Free.Indexes())
	require.ErrorIs(t, replica.Apply(e.Log), record.ErrCorrupt, "it is gone already")
}

func TestUpkeep_IndexOutlivesARestart(t *testing.T) {
	t.Parallel()
	e := sought(t, 1000)
	m := e.BeginImage()
	defer m.Close()
	image, done := m.Draw(nil, 1<<20)
	require.True(t, done)
	again := loaded(t, image)
	require.True(t, again.Busy(), "it is built beside the calls")
	again.Work(1000)
	require.Equal(t, 1, looks(t, again, 999))
	require.Equal(t, e.Hash(), again.Hash())
}

func TestShape_IsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	for _, sh := range []store.Shape{
		{Bound: 2},
		{Eq: 5, Bound: 2},
		{Keys: []template.Order{{Field: 0, Desc: true}}, Bound: 3},
		{Eq: 1},
		{Eq: 5, Keys: []template.Order{{Field: 1}}},
		{Keys: []template.Order{{Field: 2, Desc: true}, {Field: 0}}},
	} {
		got, ok := decodeShape(appendShape(nil, sh), 3)
		require.True(t, ok)
		require.Equal(t, sh, got)
		_, ok = decodeShape(append(appendShape(nil, sh), 0), 3)
		require.False(t, ok, "with more behind it")
		_, ok = decodeShape(appendShape(nil, sh), 0)
		require.False(t, ok, "of a kind without the fields")
	}
	_, ok := decodeShape(appendShape(nil, store.Shape{}), 3)
	require.False(t, ok)
}
