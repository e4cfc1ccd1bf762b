package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
)

// Delays go on while the server is down, but nothing becomes visible: an entry whose delay ended meanwhile has its
// whole lease afterwards.
func TestDelay_OverWhileTheServerWasDown(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.writeDrafts(tx0, call.Draft{Kind: stoneKind, Row: stoneRow(1), Lease: second, Delay: 3 * second})
	deferred := s.writeDrafts(tx0, call.Draft{Kind: stoneKind, Row: stoneRow(2), Lease: 2 * second})
	x := s.begin()
	require.Equal(t, []int{2},
		ages(s.e.Find(s.now,
			&call.Query{Templates: []call.Template{{Kind: stoneKind}}, Max: 1, Take: true, Txn: under(x)}).Entries))
	require.NoError(t, s.e.Defer(s.now, under(x), deferred, 4*second).Err)
	s.commit(x)

	e := applied(t, s.e.Log)
	s.now += 100 * second
	all := &call.Query{Templates: []call.Template{{Kind: stoneKind}}, Max: 9}
	require.Equal(t, []int{1, 2}, ages(e.Find(s.now, all).Entries))
	require.Equal(t, []int{1, 2}, ages(e.Find(s.now+second-1, all).Entries))
	require.Equal(t, []int{2}, ages(e.Find(s.now+second, all).Entries))
	require.Equal(t, []int{2}, ages(e.Find(s.now+2*second-1, all).Entries))
	require.ErrorIs(t, e.Find(s.now+2*second, all).Err, call.ErrNoMatch)
}

// A lease shorter than a tick, the resolution of the timer, does not end with the delay before it.
func TestDelay_ShortestLease(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.writeDrafts(tx0, call.Draft{Kind: stoneKind, Row: stoneRow(1), Lease: 1, Delay: 3 * second})
	s.now += 4 * second
	all := &call.Query{Templates: []call.Template{{Kind: stoneKind}}, Max: 9}
	require.Equal(t, []int{1}, ages(s.e.Find(s.now, all).Entries))
	require.ErrorIs(t, s.e.Find(s.now+1, all).Err, call.ErrNoMatch)
}
