package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHello(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, hello(t.Context(), &out))
	require.Equal(t, "job 7 is done\n", out.String())
}

// What the README shows is what was just tested.
func TestREADME_ShowsThisProgram(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("main.go")
	require.NoError(t, err)
	_, program, ok := strings.Cut(string(source), "\npackage main\n")
	require.True(t, ok)
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	require.Contains(t, string(readme), "```go\npackage main\n"+program+"```\n")
}
