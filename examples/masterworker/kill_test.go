//go:build unix

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// workerOf names the variable with which a test starts this program as a worker for a server.
const workerOf = "MASTERWORKER_TEST_SERVER"

func TestMain(m *testing.M) {
	if addr := os.Getenv(workerOf); addr != "" {
		if err := run(context.Background(), []string{"-addr", addr, "-lease", "300ms", "worker"}, os.Stdout,
			os.Stderr); err != nil {
			os.Exit(1)
		}
		return
	}
	spacetest.Main(m)
}

// A worker process is killed in the middle of a file. Another worker gets the job when the lease of the dead one ends.
func TestWorker_KilledGivesItsJobBack(t *testing.T) {
	t.Parallel()
	server := spacetest.Server(t, spacetest.ServerConfig{})
	sp := server.Dial(t)
	root := t.TempDir()
	file := filepath.Join(root, "endless.go")
	require.NoError(t, syscall.Mkfifo(file, 0o600))
	_, err := space.Write(t.Context(), sp, FileJob{Run: "one", File: "endless.go"})
	require.NoError(t, err)
	_, err = space.Write(t.Context(), sp, Run{ID: "one", Root: root, Files: 1})
	require.NoError(t, err)

	self, err := os.Executable()
	require.NoError(t, err)
	victim := exec.CommandContext(t.Context(), self)
	victim.Env = append(os.Environ(), workerOf+"="+server.Addr())
	victim.Stdout, victim.Stderr = t.Output(), t.Output()
	require.NoError(t, victim.Start())
	pipe, err := os.OpenFile(file, os.O_WRONLY, 0) // returns when the worker reads
	require.NoError(t, err)
	require.NoError(t, victim.Process.Kill())
	require.Error(t, victim.Wait())
	require.NoError(t, pipe.Close())
	require.NoError(t, os.Remove(file))
	require.NoError(t, os.WriteFile(file, []byte(valid), 0o600))

	done := make(chan error, 1)
	go func() { done <- worker{space: sp, parallel: 1, lease: time.Minute, log: t.Output()}.run(t.Context()) }()
	result, err := space.Take(t.Context(), sp, FileResult{Run: "one"})
	require.NoError(t, err)
	require.Equal(t, len(valid), result.Bytes)
	_, err = space.Write(t.Context(), sp, RunFinished{Run: "one"})
	require.NoError(t, err)
	require.NoError(t, <-done)
	n, err := space.Count(t.Context(), sp, FileJob{})
	require.NoError(t, err)
	require.Zero(t, n)
}
