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

// The fates of the latest identities are kept, without pages for ranges in which none has committed.
func TestFates_KeepALimitedPast(t *testing.T) {
	t.Parallel()
	var f fates
	f.commit(5, 0)
	f.commit(3*fatePageIDs+5, 0)
	require.Equal(t, []call.Fate{call.Aborted, call.Committed, call.Aborted, call.Aborted, call.Committed, call.Aborted},
		[]call.Fate{
			f.of(4), f.of(5), f.of(fatePageIDs + 5), f.of(3 * fatePageIDs), f.of(3*fatePageIDs + 5),
			f.of(9 * fatePageIDs),
		})
	require.Nil(t, f.pages[1])

	const later = (fatePages + 2) * fatePageIDs
	f.commit(later, 0)
	require.Equal(t, []call.Fate{call.Unknown, call.Unknown, call.Aborted, call.Committed, call.Committed},
		[]call.Fate{f.of(5), f.of(3*fatePageIDs - 1), f.of(3 * fatePageIDs), f.of(3*fatePageIDs + 5), f.of(later)})
	f.commit(5, 0)
	require.Equal(t, call.Unknown, f.of(5), "too late")
	require.Len(t, f.pages, fatePages)

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
	e.committed(1)
	e.Log = make([]byte, 0, 1<<20)
	require.Zero(t, testing.AllocsPerRun(1000, func() { e.committed(2) }))
}
