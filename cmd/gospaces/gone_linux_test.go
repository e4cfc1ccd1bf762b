package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// running is `gospaces serve` as a process of its own.
type running struct {
	server
	cmd    *exec.Cmd
	stderr *strings.Builder
}

// serveProcess starts a server on a free port and waits until it is ready.
func serveProcess(t *testing.T, args ...string) running {
	t.Helper()
	r := running{
		cmd:    process(t.Context(), append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...),
		stderr: new(strings.Builder),
	}
	r.cmd.Stderr = r.stderr
	out, err := r.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, r.cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "the server ends before it is ready")
	r.addr = strings.TrimPrefix(strings.TrimSpace(line), "gospaces: ready at ")
	return r
}

// A server whose folder is removed acknowledges nothing any more; one that has lost its lock file has no other beside
// it.
func TestServe_FolderIsRemovedUnderIt(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	s := serveProcess(t, "--data", dir)
	s.must(t, "write", "job", `{"id": 1}`)
	require.NoError(t, os.Remove(filepath.Join(dir, "lock")))
	r := cli(t, "serve", "--data", dir, "--listen", "127.0.0.1:0")
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "is in use by another process")

	require.NoError(t, os.RemoveAll(dir))
	require.Eventually(t, func() bool { return s.do(t, "write", "job", `{"id": 2}`).code == exitError }, time.Minute,
		time.Millisecond)
	r = s.do(t, "write", "job", `{"id": 3}`)
	require.Equal(t, exitError, r.code)
	require.Contains(t, r.err, "the data folder is not there any more")
	second := serve(t, "--data", dir)
	require.Equal(t, "0\n", second.must(t, "count"))

	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	_ = s.cmd.Wait() // it says what is wrong
	require.Contains(t, s.stderr.String(), "data_folder_gone")
	require.Equal(t, "0\n", second.must(t, "count"), "the first has left nothing where it is not at home")
}
