package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
)

func TestOutcome_FromTheCommandLine(t *testing.T) {
	t.Parallel()
	s := memory(t)
	c, err := client.Dial(t.Context(), s.addr)
	require.NoError(t, err)
	defer c.Close()
	tx, err := space.Begin(t.Context(), c)
	require.NoError(t, err)
	id := tx.ID().String()
	require.JSONEq(t, `{"outcome": "undecided"}`, s.must(t, "outcome", id))
	require.NoError(t, tx.Commit(t.Context()))
	require.JSONEq(t, `{"outcome": "committed"}`, s.must(t, "outcome", id))
	require.JSONEq(t, `{"outcome": "unknown"}`, s.must(t, "outcome", "default/77/1"))
	r := s.do(t, "outcome", "default/0")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.err, "SPACE/SESSION/NUMBER")
}
