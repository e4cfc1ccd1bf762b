package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The commands that the README shows do what they seem to do.
func TestREADME_Commands(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(readme), "## On a server\n\n```sh\ngospaces serve &")
	require.True(t, ok)
	_, rest, _ = strings.Cut(rest, "\n") // of the comment beside it
	block, _, ok := strings.Cut(rest, "```\n")
	require.True(t, ok)
	s := memory(t)
	var out string
	for line := range strings.Lines(block) {
		out = s.must(t, words(strings.TrimSpace(line))[1:]...)
	}
	require.JSONEq(t, `{"id": 7, "state": "new", "priority": 5}`, out)
}

// words splits a command line as a shell does; of quotes it knows single ones.
func words(line string) []string {
	var all []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			all = append(all, part)
		} else {
			all = append(all, strings.Fields(part)...)
		}
	}
	return all
}
