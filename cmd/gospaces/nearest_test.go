package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPerhaps(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"stat":      ": did you mean --state?",
		"sttae":     ": did you mean --state?",
		"priorty":   ": did you mean --priority?",
		"pirorityy": ": did you mean --priority?",
		"owner":     "",
		"x":         "",
		"state2":    ": did you mean --state?",
		"ib":        ": did you mean --id?",
	} {
		require.Equal(t, want, perhaps("--", name, []string{"id", "state", "priority", "n"}), name)
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"a", "", 1},
		{"", "ab", 2},
		{"take", "take", 0},
		{"tkae", "take", 1},
		{"tae", "take", 1},
		{"abc", "xyz", 3},
		{"ab", "ba", 1},
	} {
		require.Equal(t, c.want, distance(c.a, c.b), c)
		require.Equal(t, c.want, distance(c.b, c.a), c)
	}
}
