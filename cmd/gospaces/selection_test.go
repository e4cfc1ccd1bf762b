package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What a template asks for is never left out: a take would remove an entry that was not meant.
func TestSelection_NothingAskedForIsLeftOut(t *testing.T) {
	t.Parallel()
	s := memory(t)
	s.must(t, "write", "job", `{"id": 7}`)
	for _, args := range [][]string{
		{"take", "", `{"id": 8}`},
		{"read", "", "--where", "id = 8"},
		{"count", "", `{"id": 8}`},
		{"read", "", "--order", "id"},
	} {
		r := s.do(t, args...)
		require.Equal(t, exitUsage, r.code, args)
		require.Contains(t, r.err, "needs a kind")
	}
	require.JSONEq(t, "0", s.do(t, "count", "task", `{"id": 7}`).out)
	require.Equal(t, exitNoMatch, s.do(t, "take", "task", `{"id": 7}`).code)
	require.JSONEq(t, "1", s.must(t, "count"))
}
