package main

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
)

func TestWork(t *testing.T) {
	t.Parallel()
	sp := memory.New(memory.Config{})
	defer sp.Close()
	ctx, stop := context.WithCancel(t.Context())
	worked := make(chan error)
	go func() { worked <- run(ctx, sp) }()
	_, err := space.Write(ctx, sp, Job{ID: 7, State: "new", Priority: 5})
	require.NoError(t, err)
	result, err := space.Take(ctx, sp, Result{JobID: 7})
	require.NoError(t, err)
	require.Equal(t, "job 7 is done", result.Text)
	stop()
	require.NoError(t, <-worked)
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
