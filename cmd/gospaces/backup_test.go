package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBackup_IsVerifiedRestoredAndServed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, folder := filepath.Join(dir, "spaces.backup"), filepath.Join(dir, "data")
	first := serve(t, "--data", t.TempDir())
	first.must(t, "write", "job", `{"id": 1}`, `{"id": 2}`)
	first.must(t, "write", "--space", "orders", "order", `{"n": 7}`)
	out := first.must(t, "backup", file)
	require.Contains(t, out, `"space":"default"`)
	require.Contains(t, out, `"space":"orders"`)
	first.must(t, "take", "job", `{"id": 1}`)

	r := first.do(t, "backup", file)
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "is there already: name another file, or use --force")
	r = cli(t, "verify", file)
	require.Zero(t, r.code, r.err)
	require.Contains(t, r.out, `"entries":{"job":2}`)
	require.Contains(t, r.out, `"entries":{"order":1}`)
	r = cli(t, "restore", file, "--data", folder)
	require.Zero(t, r.code, r.err)
	r = cli(t, "restore", file, "--data", folder)
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "name a new one with --data")

	second := serve(t, "--data", folder)
	require.Equal(t, "{\"id\":1}\n{\"id\":2}\n", second.must(t, "read", "job", "--all"))
	require.Equal(t, "{\"n\":7}\n", second.must(t, "take", "--space", "orders", "order"))
	require.Zero(t, second.stop().code)

	// What fails leaves neither a file nor a part of one.
	memory := serve(t, "--durability", "memory")
	r = memory.do(t, "backup", filepath.Join(dir, "other.backup"))
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "without a log")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 2)
}
