package replication

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

// image makes a snapshot of what a log has at a position: the position itself, and some bytes.
func image(t testing.TB, l *Log, position uint64, size int) {
	t.Helper()
	s, err := l.Snapshot(position, record.Clock{})
	require.NoError(t, err)
	for range size >> 10 {
		require.NoError(t, s.Write(record.AppendPut(nil, position, 1, 0, make([]byte, 1<<10))))
	}
	require.NoError(t, s.Commit())
}

// loaded returns the position of the snapshot from which a log goes on, and the bytes of its records.
func loaded(t testing.TB, l *Log) (position uint64, size int) {
	t.Helper()
	position, _, err := l.Load(t.Context(), func(b []byte) error { size += len(b); return nil }, nil)
	require.NoError(t, err)
	return position, size
}

// A node that has nothing gets a snapshot of another, and what follows it.
func TestFetch_OfASnapshotForAnEmptyNode(t *testing.T) {
	t.Parallel()
	const size = 600 << 10 // several pieces
	k := newTrio(t, func(c *Config) { c.Logger = testLogger(t) })
	logs := k.logs()
	a := logs[0]
	position, _ := loaded(t, a)
	require.Zero(t, position)
	require.NoError(t, replay(t.Context(), a, 0, ignore, nil))
	appendAll(t, a, 1, 10)
	image(t, a, 4, 1<<10)
	image(t, a, 8, size)
	for _, l := range logs[1:] {
		position, _ = loaded(t, l)
		require.Zero(t, position, "the log goes back to its beginning")
	}
	require.NoError(t, a.Purge(t.Context(), 100))
	require.EqualValues(t, 4, a.Stats().First, "the message of the snapshot stays")
	require.ErrorIs(t, logs[1].Follow(t.Context(), 0, ignore), ErrPosition)

	for _, l := range logs {
		position, bytes := loaded(t, l)
		require.EqualValues(t, 8, position)
		require.Greater(t, bytes, size/2)
		require.Equal(t, []uint64{8, 9, 10}, tailed(t, l, 8, 3))
	}
	b := logs[1]
	require.Equal(t, a.Incarnation(), b.Incarnation())
	require.NoError(t, replay(t.Context(), b, 8, ignore, nil))
	appendAll(t, b, 11, 11)

	k.stop(2)
	require.NoError(t, os.RemoveAll(k.dirs[2]))
	k.start(2)
	c := k.log(2)
	position, _ = loaded(t, c)
	require.EqualValues(t, 8, position)
	require.Equal(t, []uint64{8, 9, 10, 11}, tailed(t, c, 8, 4))
	require.NoError(t, replay(t.Context(), c, 8, ignore, nil))
}
