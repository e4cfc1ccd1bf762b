package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
)

func TestRun_ShowsOneSymbolInOrder(t *testing.T) {
	t.Parallel()
	sp := memory.New(memory.Config{})
	defer sp.Close()
	var out strings.Builder
	require.NoError(t, run(t.Context(), sp, 20, 0, time.Millisecond, &out))
	require.Equal(t, 20, strings.Count(out.String(), "  GOPH  "))
	require.NotContains(t, out.String(), "DUKE")
}

func TestRun_EndsWithTheSpace(t *testing.T) {
	t.Parallel()
	sp := memory.New(memory.Config{})
	require.NoError(t, sp.Close())
	require.ErrorIs(t, run(t.Context(), sp, 1, 0, time.Millisecond, t.Output()), space.ErrClosed)
}
