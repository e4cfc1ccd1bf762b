//go:build !nolink

package replication

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

// What is used of the embedded server without being exported is where it was, and does what it did.
func TestLink(t *testing.T) {
	t.Parallel()
	k := newTrio(t, nil)
	logs := k.logs()
	require.NoError(t, replay(t.Context(), logs[0], 0, ignore, nil))
	leaders := map[string]bool{}
	for i, l := range logs {
		srv, err := l.store.server()
		require.NoError(t, err)
		require.NotNil(t, metaGroup(srv.srv))
		require.NotNil(t, streamGroup(srv.srv, l.id.stream()))
		require.Nil(t, streamGroup(srv.srv, "none"))
		require.NoError(t, writeError(srv.srv, l.id.stream()))
		require.Equal(t, srv.srv.Node(), nodeNumber(k.stores[i].Node()))
		require.Eventually(t, func() bool {
			st, ok := localState(srv.srv, l.id.stream())
			return ok && st.Msgs == 1
		}, time.Minute, time.Millisecond)
		require.NoError(t, l.Fit())
		require.Eventually(t, func() bool { return l.Raft().Leader != "" && k.stores[i].Meta().Leader != "" },
			time.Minute, time.Millisecond)
		leaders[l.Raft().Leader] = true
		require.Equal(t, l.Raft().Leads, l.Raft().Leader == k.stores[i].Node())
		require.Equal(t, k.stores[i].Meta().Leads, k.stores[i].Meta().Leader == k.stores[i].Node())
	}
	require.Len(t, leaders, 1)
}

// A nudged follower stands for election, and the log goes on under any leader; the leader is not disturbed by a nudge.
func TestNudge_IsAnElection(t *testing.T) {
	t.Parallel()
	k := newTrio(t, nil)
	logs := k.logs()
	require.NoError(t, replay(t.Context(), logs[0], 0, ignore, nil))
	f := startFollowing(t, logs[1], 0)
	for n := uint64(1); n <= 5; n++ {
		appendAll(t, logs[0], n, n)
		require.Equal(t, []uint64{n}, f.reach(t, logs[0].Last()))
		for _, l := range logs {
			before := l.Raft()
			if before.Leads {
				require.NoError(t, l.Nudge())
				continue
			}
			require.Eventually(t, func() bool { // a heartbeat that comes just then puts it off
				require.NoError(t, l.Nudge())
				return l.Raft().Term > before.Term
			}, time.Minute, 100*time.Millisecond)
			break
		}
	}
	require.NoError(t, k.stores[0].NudgeMeta())
	require.Equal(t, upTo(5), tailed(t, logs[2], 0, 5))
}

// A node asks to lead.
func TestLeadHere(t *testing.T) {
	t.Parallel()
	k := newTrio(t, nil)
	logs := k.logs()
	for _, l := range logs {
		require.Eventually(t, func() bool {
			require.NoError(t, l.LeadHere())
			return l.Raft().Leads
		}, time.Minute, 100*time.Millisecond)
		l.Beat()
	}
}

// The way of a failover asks the cluster for nothing but messages.
func TestCluster_FailoverNeedsNoAPI(t *testing.T) {
	t.Parallel()
	k := newTrio(t, nil)
	logs := k.logs()
	old, young := logs[0], logs[1]
	require.NoError(t, replay(t.Context(), old, 0, ignore, nil))
	appendAll(t, old, 1, 2)
	calls := func() (n uint64) {
		for _, s := range k.stores {
			js, err := s.srv.srv.Jsz(nil)
			require.NoError(t, err)
			n += js.API.Total
		}
		return n
	}
	before := calls()
	f, late := startFollowing(t, young, 0), startFollowing(t, logs[2], 0)
	require.Equal(t, upTo(2), f.reach(t, 3))
	require.Equal(t, upTo(2), late.reach(t, 3))
	_, err := young.Claim(t.Context(), 2, record.Clock{})
	require.ErrorIs(t, err, ErrFenced)
	require.NoError(t, old.Resign("b", record.Clock{}))
	require.Empty(t, f.reach(t, 4))
	_, err = young.Claim(t.Context(), 4, record.Clock{})
	require.NoError(t, err)
	appendAll(t, young, 3, 3)
	require.Equal(t, []uint64{3}, late.reach(t, 6))
	for _, l := range logs {
		l.Raft()
		require.Eventually(t, func() bool { return l.Fit() == nil }, time.Minute, time.Millisecond)
		_, err := l.CatchUp(t.Context(), 0, ignore, nil)
		require.NoError(t, err)
	}
	require.ErrorIs(t, old.Append(commit(9, 10)), ErrNotPrimary)
	require.Equal(t, before, calls())
	_, err = young.serverState(t.Context())
	require.NoError(t, err)
	require.Greater(t, calls(), before, "the count tells")
}
