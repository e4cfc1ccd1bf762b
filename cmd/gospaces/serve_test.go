package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestServe_KeepsEntriesAcrossRestart(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	first := serve(t, "--data", data)
	first.must(t, "write", "job", `{"id": 1}`, `{"id": 2}`)
	first.must(t, "take", "job", `{"id": 1}`)
	require.Zero(t, first.stop().code)

	second := serve(t, "--data", data)
	require.Equal(t, `{"id":2}`+"\n", second.must(t, "read", "job", "--all"))
}

func TestServe_SettingsFromFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "gospaces.conf")
	require.NoError(t, os.WriteFile(path, []byte("data = "+filepath.Join(dir, "data")+"\nmax-entry = 100\n"), 0o600))
	s := serve(t, "--config", path)
	require.DirExists(t, filepath.Join(dir, "data"))
	r := s.do(t, "write", "job", `{"text": "`+strings.Repeat("x", 101)+`"}`)
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "too large")
}

func TestServe_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	running := serve(t, "--data", t.TempDir())
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{exitError, "name another address with --listen", []string{"--durability", "memory", "--listen", running.addr}},
		{exitUsage, `durability is "paper"; it is memory, logged or synced`, []string{"--durability", "paper"}},
		{exitUsage, "needs durability logged or synced", []string{"--durability", "memory", "--postgres", "dbname=x"}},
		{exitUsage, "--max-entry must be positive", []string{"--max-entry", "0"}},
		{exitUsage, "--mirror-log must be positive", []string{"--mirror-log", "-1"}},
		{exitUsage, "--flush-timeout must not be negative", []string{"--flush-timeout", "-1s"}},
	} {
		r := cli(t, append([]string{"serve", "--listen", "127.0.0.1:0"}, c.args...)...)
		require.Equal(t, c.code, r.code)
		require.Contains(t, r.err, c.says)
	}
}
