package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/txn"
)

func (s *scene) fate(number uint64) call.Fate { return s.e.TxnFate(s.now, number).Fate }

func TestTxnFate_TellsWhatHasBecomeOfTransactions(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.write(tx0, 1)
	wrote, read, aborted, open, late := s.begin(), s.begin(), s.begin(), s.begin(), s.beginFor(second)
	s.commit(wrote, draft(2))
	s.commit(read)
	s.abort(aborted)
	s.pass(2 * second)
	want := map[uint64]call.Fate{
		wrote: call.Committed, read: call.Committed, aborted: call.Aborted, open: call.Undecided, late: call.Aborted,
		0: call.Unknown, s.e.lastID + 1: call.Unknown,
	}
	for number, fate := range want {
		require.Equal(t, fate, s.fate(number), "%d", number)
	}
	want[open] = call.Aborted // a restart aborts it
	delete(want, s.e.lastID+1)
	s = s.restarted()
	for number, fate := range want {
		require.Equal(t, fate, s.fate(number), "%d after a restart", number)
	}
	require.NoError(t, s.e.Apply(record.AppendLost(nil)))
	for number := range want {
		require.Equal(t, call.Unknown, s.fate(number), "%d after a part of the log was lost", number)
	}
}

func TestTxnFate_DecidedOnes(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	home := s.begin()
	require.NoError(t, s.e.Decide(s.now, under(home), call.Request{}, nil, []txn.Address{{Space: "a"}}).Err)
	require.Equal(t, call.Committed, s.fate(home))
	require.NoError(t, s.e.Forget(s.now, home).Err)
	require.Equal(t, call.Committed, s.restarted().fate(home))
}

// What never was a transaction has no fate, before a restart and after it.
func TestTxnFate_OfOtherIdentitiesIsUnknown(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	first := s.write(tx0, 1)
	registered := s.notify(tx0, call.Written)[0]
	committed, aborted := s.begin(), s.begin()
	under := s.writeDrafts(committed, draft(2))
	s.commit(committed)
	s.abort(aborted)
	s.write(tx0, 3)
	last := s.write(tx0, 4)
	s.find(take(tx0, 3))
	for range 2 {
		for name, id := range map[string]uint64{
			"an entry": first, "one of a transaction": under, "one that is younger": last, "one that is gone": last - 1,
			"a registration": registered, "none": 0, "not issued": s.e.lastID + 1,
		} {
			require.Equal(t, call.Unknown, s.fate(id), name)
		}
		require.Equal(t, call.Committed, s.fate(committed))
		require.Equal(t, call.Aborted, s.fate(aborted))
		s = s.restarted()
	}
}

// A number is not issued again after a restart, nor after a hand-over to a replica and back, and what has been said of
// its fate stays true.
func TestTxnID_IsIssuedOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	seen, last := map[uint64]bool{}, uint64(0)
	use := func(e *Engine) {
		for range fatePageIDs/2 + 100 {
			id := e.Begin(s.now, call.Forever, call.Request{}, "").Grants[0].ID
			if id <= last { // the youngest has the highest
				t.Fatalf("%d after %d", id, last)
			}
			seen[id], last = true, id
			e.Abort(s.now, txn.ID{Number: id})
		}
		require.Equal(t, call.Unknown, e.TxnFate(s.now, last+1).Fate, "not issued yet")
		entry := e.Write(s.now, txn.ID{}, call.Request{}, []call.Draft{aStone(1)}).Grants[0].ID
		require.False(t, seen[entry])
		seen[entry] = true
	}
	use(s.e)
	replica := s.restarted().e
	common := len(replica.Log)
	use(replica)
	s.e.StepDown(s.now)
	require.NoError(t, s.e.Apply(replica.Log[common:]))
	require.Equal(t, replica.Hash(), s.e.Hash())
	for id := range seen {
		require.Equal(t, replica.TxnFate(s.now, id).Fate, s.e.TxnFate(s.now, id).Fate)
	}
	use(s.e)
}

// The fates of the latest identities are kept, without pages for ranges that are not of transactions.
func TestFates_KeepALimitedPast(t *testing.T) {
	t.Parallel()
	var f fates
	f.open(0)
	f.commit(5, 0)
	f.open(3)
	f.commit(3*fatePageIDs+5, 0)
	require.Equal(t, []call.Fate{call.Aborted, call.Committed, call.Unknown, call.Aborted, call.Committed, call.Unknown},
		[]call.Fate{
			f.of(4), f.of(5), f.of(fatePageIDs + 5), f.of(3 * fatePageIDs), f.of(3*fatePageIDs + 5),
			f.of(9 * fatePageIDs),
		})
	require.Nil(t, f.pages[1])
	require.False(t, f.commit(fatePageIDs+5, 0), "it is no transaction's")

	const later = (fatePages + 2) * fatePageIDs
	f.open(fatePages + 2)
	f.commit(later, 0)
	require.Equal(t, []call.Fate{call.Unknown, call.Unknown, call.Aborted, call.Committed, call.Committed},
		[]call.Fate{f.of(5), f.of(3*fatePageIDs - 1), f.of(3 * fatePageIDs), f.of(3*fatePageIDs + 5), f.of(later)})
	require.True(t, f.commit(5, 0))
	require.Equal(t, call.Unknown, f.of(5), "too late")
	require.Len(t, f.pages, fatePages)

	f.open(1 << 60 / fatePageIDs)
	f.commit(1<<60, 0)
	require.Equal(t, []call.Fate{call.Unknown, call.Committed}, []call.Fate{f.of(later), f.of(1 << 60)})
	require.Len(t, f.pages, fatePages)
}

func TestCallFate_IsKnownUntilItIsReceived(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	c := newCaller(t, e, 1)
	wrote := c.write(aStone(1), aStone(2))
	took := c.take(stoneKind, 1)
	r := e.CallFate(1, call.Request{Session: c.session, Number: 1})
	require.Equal(t, call.Committed, r.Fate)
	require.Equal(t, wrote.Grants, r.Grants)
	r = e.CallFate(1, call.Request{Session: c.session, Number: 2})
	require.Equal(t, call.Committed, r.Fate)
	require.Equal(t, took.Entries, r.Entries)
	require.Equal(t, call.Unknown, e.CallFate(1, call.Request{Session: c.session, Number: 3}).Fate, "perhaps it comes yet")
	require.Equal(t, call.Unknown, e.CallFate(1, call.Request{Session: c.session + 1, Number: 1}).Fate,
		"a session that there is not")
	e.Received(1, c.session, e.LSN())
	r = e.CallFate(1, call.Request{Session: c.session, Number: 1})
	require.Equal(t, call.Unknown, r.Fate)
	require.NoError(t, r.Err)
}

func TestCommit_NotingItAllocatesNothing(t *testing.T) {
	e := newTestEngine(t)
	e.fates.open(0)
	e.committed(1)
	e.Log = make([]byte, 0, 1<<20)
	require.Zero(t, testing.AllocsPerRun(1000, func() { e.committed(2) }))
}
