package replication

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

// between returns the numbers of the commits that Read hands over.
func between(t *testing.T, l *Log, from, to uint64) []uint64 {
	t.Helper()
	var got []uint64
	require.NoError(t, l.Read(t.Context(), from, to, into(&got)))
	return got
}

func TestRead_HandsOverThePartThatWasAskedFor(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	l := primary(t, s) // the claim is at position 1
	appendAll(t, l, 1, 3000)
	require.Equal(t, upTo(3000), between(t, l, 1, 3001))
	require.Equal(t, upTo(2500)[1499:], between(t, l, 1501, 2501))
	require.Equal(t, []uint64{7}, between(t, l, 8, 8))
	require.Empty(t, between(t, l, 1, 1), "a claim is no group")
	require.Empty(t, between(t, l, 9, 8))

	err := l.Read(t.Context(), 2, 3001, func(record.Group) error { return errDone })
	require.ErrorIs(t, err, errDone)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, l.Read(ctx, 2, 3, ignore), context.Canceled)
}

func TestRead_PassesOverWhatAReplacedPrimaryWrote(t *testing.T) {
	t.Parallel()
	old := primary(t, open(t, Config{}))
	appendAll(t, old, 1, 2)
	young := rival(t, old)
	require.NoError(t, replay(t.Context(), young, 0, ignore, nil)) // position 4
	stale := commit(99, 10)
	record.AppendHeader(stale[:0], record.Header{Type: record.Commit, Epoch: 1})
	intrude(t, old, stale) // position 5
	require.NoError(t, replay(t.Context(), young, 0, ignore, nil))
	appendAll(t, young, 3, 3)
	require.Equal(t, upTo(3), between(t, young, 1, young.Last()))
	require.Equal(t, []uint64{3}, between(t, young, 5, young.Last()))
}

func TestRead_RefusesWhatTheLogDoesNotHold(t *testing.T) {
	t.Parallel()
	l := primary(t, open(t, Config{}))
	appendAll(t, l, 1, 2)
	require.ErrorIs(t, l.Read(t.Context(), 1, l.Last()+1, ignore), ErrPosition)
	require.ErrorIs(t, l.Read(t.Context(), 0, 1, ignore), ErrPosition)
	var e interface{ Unreadable() bool }
	require.ErrorAs(t, l.Read(t.Context(), 1, l.Last()+1, ignore), &e)
	require.True(t, e.Unreadable())
	require.NoError(t, l.store.Close())
	require.ErrorIs(t, l.Read(t.Context(), 1, 1, ignore), ErrClosed)
}
