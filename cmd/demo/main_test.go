package main

import (
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// These are the whole demonstrations on a small tree: processes, PostgreSQL, comparison, and nothing left behind.
func TestDemo(t *testing.T) {
	for name, d := range map[string]demo{"cluster": {}, "single": {single: true}} {
		t.Run(name, func(t *testing.T) {
			runtime.LockOSThread() // see family.start
			defer runtime.UnlockOSThread()
			t.Setenv("TMPDIR", t.TempDir())
			d.workers, d.root = 3, "../../template"
			require.NoError(t, d.run(t.Context()))
			require.NoDirExists(t, d.dir)
			left, err := os.ReadDir(os.TempDir())
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

func TestFamily_EndsWhenOneFails(t *testing.T) {
	t.Parallel()
	f := newFamily(t.Context())
	defer f.end()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	patient, err := f.start(os.Stderr, nil, "sleep", "3600")
	require.NoError(t, err)
	failing, err := f.start(os.Stderr, nil, "false")
	require.NoError(t, err)
	require.ErrorContains(t, failing.wait(), "false: exit status 1")
	require.ErrorContains(t, patient.wait(), "false: exit status 1",
		"the cause is the failure, not the end that it brought to others")
}

func TestSame_NamesTheDifference(t *testing.T) {
	t.Parallel()
	a := map[string]int{"x": 1, "y": 2}
	require.NoError(t, same(a, map[string]int{"x": 1, "y": 2}))
	require.ErrorContains(t, same(a, map[string]int{"x": 1, "y": 3}), "y is 2 in the space and 3 in the database")
	require.ErrorContains(t, same(a, map[string]int{"x": 1}), "y is 2")
	require.ErrorContains(t, same(a, map[string]int{"x": 1, "y": 2, "z": 0}), "the space has 2 totals and the database 3")
}
