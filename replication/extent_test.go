package replication

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// The log knows the size of what follows each position, also when its beginning is gone and after a restart.
func TestBehind_TellsTheBytesAfterAPosition(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	l := primary(t, s)
	ends := map[uint64]int64{} // what had been appended with the message at a position
	var n uint64
	fill := func(bytes int64) {
		for from := l.Stats().Appended; l.Stats().Appended < from+bytes; {
			n++
			require.NoError(t, l.Append(commit(n, rng.IntN(100_000))))
			ends[l.Last()] = l.Stats().Appended
		}
	}
	check := func() {
		for position, appended := range ends {
			if position >= l.Stats().First {
				require.InDelta(t, l.Stats().Appended-appended, l.Behind(position), 2*extentGrain, "position %d", position)
			}
		}
		require.Zero(t, l.Behind(l.Last()))
		require.Equal(t, l.Stats().Bytes, l.Behind(l.Stats().First-1))
		require.Equal(t, l.Stats().Bytes, l.Behind(0))
	}
	fill(8 << 20)
	check()
	require.NoError(t, l.purge(t.Context(), l.Last()/2))
	check()
	fill(4 << 20)
	check()
	require.NoError(t, l.purge(t.Context(), l.Last()+1))
	require.Zero(t, l.Behind(0))
	fill(1 << 20)
	check()
	size, last := l.Stats().Bytes, l.Last()
	require.NoError(t, s.Close())

	l = idle(t, open(t, Config{Dir: dir}))
	require.Equal(t, size, l.Behind(0))
	require.InDelta(t, size/2, l.Behind((l.Stats().First+last)/2), float64(size)/8, "about")
	require.Zero(t, l.Behind(last))
}
