package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
)

func TestRun_ShipsEveryOrderOnce(t *testing.T) {
	t.Parallel()
	sp := memory.New(memory.Config{})
	defer sp.Close()
	var out strings.Builder
	require.NoError(t, run(t.Context(), sp, 50, &out))

	require.Equal(t, 51, strings.Count(out.String(), "\n"))
	require.Contains(t, out.String(), "order 50 shipped in P-00050\n")
	require.Contains(t, out.String(), "50 orders, 2998.50\n", "150 pieces at 19.99")
	left, err := space.Count(t.Context(), sp, Order{})
	require.NoError(t, err)
	require.Zero(t, left)
}

func TestRun_EndsWithTheSpace(t *testing.T) {
	t.Parallel()
	sp := memory.New(memory.Config{})
	require.NoError(t, sp.Close())
	require.ErrorIs(t, run(t.Context(), sp, 1, t.Output()), space.ErrClosed)
}
