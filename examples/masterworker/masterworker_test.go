package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/memory"
)

// forest is a tree of n packages with one file each, every seventh of which is not valid Go.
func forest(t *testing.T, n int) string {
	files := make(map[string]string, n)
	for i := range n {
		text := valid
		if i%7 == 0 {
			text = "package broken ("
		}
		files[fmt.Sprintf("p%d/f.go", i)] = text
	}
	return tree(t, files)
}

func TestRun_WorkersGiveWhatOneGives(t *testing.T) {
	t.Parallel()
	const files = 2*bulk + 1
	sp := memory.New(memory.Config{})
	defer sp.Close()
	workers := make(chan error)
	for range 3 {
		go func() {
			workers <- worker{space: sp, parallel: 2, lease: time.Minute, log: t.Output()}.run(t.Context())
		}()
	}
	var out strings.Builder
	m := master{space: sp, root: forest(t, files), out: &out, progress: t.Output()}
	require.NoError(t, m.run(t.Context()))
	require.Contains(t, out.String(), "gives the same totals")
	for range 3 {
		require.NoError(t, <-workers, "workers end with the run")
	}

	summary, err := space.Read(t.Context(), sp, RunSummary{}, space.NoWait())
	require.NoError(t, err, "the totals stay in the space")
	require.Equal(t, files, summary.Files)
	packages, err := space.Count(t.Context(), sp, PackageTotal{Run: summary.Run})
	require.NoError(t, err)
	require.Equal(t, files, packages)
	for what, count := range map[string]func() (int, error){
		"jobs":          func() (int, error) { return space.Count(t.Context(), sp, FileJob{}) },
		"results":       func() (int, error) { return space.Count(t.Context(), sp, FileResult{}) },
		"announcements": func() (int, error) { return space.Count(t.Context(), sp, Run{}) },
	} {
		n, err := count()
		require.NoError(t, err)
		require.Zero(t, n, "%s are used up", what)
	}
}

// A killed worker holds jobs. They come back when their leases end.
func TestRun_SurvivesTheLossOfAWorker(t *testing.T) {
	t.Parallel()
	sp := memory.New(memory.Config{})
	defer sp.Close()
	var out strings.Builder
	done := make(chan error, 1)
	root := forest(t, 10)
	go func() {
		done <- master{space: sp, root: root, out: &out, progress: t.Output()}.run(t.Context())
	}()
	for range 3 {
		_, _, err := space.TakeTxn(t.Context(), sp, FileJob{}, space.For(10*time.Millisecond))
		require.NoError(t, err, "a transaction of which nothing will ever be heard")
	}
	require.NoError(t, worker{space: sp, parallel: 1, lease: time.Minute, log: t.Output()}.run(t.Context()))
	require.NoError(t, <-done)
	require.Contains(t, out.String(), "gives the same totals")
}

func TestRun_EndsWhenAFileCannotBeRead(t *testing.T) {
	t.Parallel()
	sp := memory.New(memory.Config{})
	defer sp.Close()
	root := forest(t, 3)
	done := make(chan error, 1)
	go func() {
		done <- master{space: sp, root: root, out: t.Output(), progress: t.Output()}.run(t.Context())
	}()
	job, err := space.Take(t.Context(), sp, FileJob{})
	require.NoError(t, err)
	_, err = space.Write(t.Context(), sp, FileResult{Run: job.Run, File: job.File, Problem: "disk on fire"})
	require.NoError(t, err)

	require.ErrorContains(t, <-done, "disk on fire")
	_, err = space.Read(t.Context(), sp, RunFinished{Run: job.Run})
	require.NoError(t, err, "the workers are sent home")
}

func TestCommandLine_NeedsAPart(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"slave"}, {"master", "worker"}} {
		require.ErrorContains(t, run(t.Context(), args, t.Output(), t.Output()), "say master or worker")
	}
}
