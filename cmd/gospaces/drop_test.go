package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKindsDrop_AsksForTheName(t *testing.T) {
	t.Parallel()
	s := memory(t)
	s.must(t, "write", "job", `{"size": "L"}`)
	refused := s.do(t, "kinds", "drop", "job", "--yes")
	require.Equal(t, exitError, refused.code)
	require.Contains(t, refused.err, "kind \"job\" has entries (1)")
	s.must(t, "take", "job")

	for _, answer := range []string{"", "y\n", "jobs\n"} {
		r := cliWith(t, nil, answer, "kinds", "drop", "job", "--addr", s.addr)
		require.Equal(t, exitError, r.code)
		require.Contains(t, r.err, "not confirmed")
	}
	require.Contains(t, s.must(t, "kinds"), `"job"`)
	r := cliWith(t, nil, "job\n", "kinds", "drop", "job", "--addr", s.addr)
	require.Equal(t, `{"dropped":"job"}`+"\n", r.out)
	require.Empty(t, s.must(t, "kinds"))
	require.Equal(t, exitNoMatch, s.do(t, "kinds", "drop", "job", "--yes").code)
	s.must(t, "write", "job", `{"size": 3}`)
}

func TestRead_SaysThatAKindIsNotKnown(t *testing.T) {
	t.Parallel()
	s := memory(t)
	s.must(t, "write", "reminder", `{"text": "tea"}`)
	for _, args := range [][]string{
		{"read", "remider"},
		{"take", "remider", "--all"},
		{"read", "remider", `{"text": "tea"}`},
	} {
		r := s.do(t, args...)
		require.Equal(t, exitNoMatch, r.code)
		require.Contains(t, r.err, `space "default" has no kind "remider": did you mean reminder?`)
	}
	r := s.do(t, "count", "job")
	require.Equal(t, "0\n", r.out)
	require.Equal(t, "gospaces: space \"default\" has no kind \"job\"\n", r.err)
	require.NotContains(t, s.must(t, "kinds"), "remider", "no read makes a kind")
}
