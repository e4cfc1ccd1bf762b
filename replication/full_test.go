package replication

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// appendUntil appends commits of a size until one fails, and returns the number of the last that succeeded.
func appendUntil(t testing.TB, l *Log, n uint64, size int) (last uint64, err error) {
	t.Helper()
	for ; ; n++ {
		if err := l.Append(commit(n, size)); err != nil {
			return n - 1, err
		}
	}
}

func TestFull_BoundOfTheLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, MaxBytes: 1 << 20})
	l := primary(t, s)
	last, err := appendUntil(t, l, 1, 100_000)
	require.ErrorIs(t, err, ErrFull)
	require.EqualValues(t, 10, last)
	require.Equal(t, err, l.Append(commit(last+1, 1)), "the error stays")
	require.Equal(t, upTo(last), tailed(t, l, 0, int(last)), "it can still be read")
	require.Equal(t, upTo(last), replayed(t, l))
	appendAll(t, l, last+1, last+1) // a small one fits
	last, err = appendUntil(t, l, last+2, 1)
	require.ErrorIs(t, err, ErrFull)
	require.LessOrEqual(t, l.Stats().Bytes, l.Stats().MaxBytes)

	require.ErrorIs(t, replay(t.Context(), l, 0, ignore, nil), ErrFull)
	require.NoError(t, s.Close())

	l = idle(t, open(t, Config{Dir: dir, MaxBytes: 2 << 20}))
	require.Equal(t, upTo(last), replayed(t, l), "nothing is half stored")
	appendAll(t, l, last+1, last+5)
	require.Equal(t, upTo(last+5), replayed(t, l))
}

func TestFull_FreeDiskThatMustRemain(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	l := primary(t, s)
	appendAll(t, l, 1, 2)
	keep := s.disk.keep
	s.disk.mu.Lock()
	s.disk.keep, s.disk.left = 1<<62, 0
	s.disk.mu.Unlock()
	require.ErrorIs(t, l.Append(commit(3, 1)), ErrFull)
	require.ErrorIs(t, replay(t.Context(), l, 0, ignore, nil), ErrFull)
	s.disk.mu.Lock()
	s.disk.keep = keep
	s.disk.mu.Unlock()
	require.ErrorIs(t, l.Append(commit(3, 1)), ErrFull, "not before it is claimed")
	require.Equal(t, upTo(2), replayed(t, l))
	appendAll(t, l, 3, 4)
	require.Equal(t, upTo(4), replayed(t, l))
}
