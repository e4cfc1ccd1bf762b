package replication

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLag_IsToldByGoals(t *testing.T) {
	t.Parallel()
	var b lag
	at := time.Now()
	check := func(after time.Duration, end, last uint64) error {
		at = at.Add(after)
		return b.check(end, last, at)
	}
	require.ErrorIs(t, check(0, 3, 10), ErrBehind, "it has just been started")
	require.ErrorIs(t, check(0, 9, 20), ErrBehind)
	require.NoError(t, check(0, 10, 30), "it has what was known at first")
	for range 100 {
		require.NoError(t, check(lagPatience-1, b.goal, b.goal+10), "it is always behind, and goes on")
	}
	end := b.goal - 1
	require.NoError(t, check(lagPatience-1, end, end+100))
	require.EqualError(t, check(1, end, 2000),
		"replication: this node's part of the log is behind: it ends at position 1029 of 2000")
	require.NoError(t, check(time.Hour, end+1, 3000), "it goes on")
}
