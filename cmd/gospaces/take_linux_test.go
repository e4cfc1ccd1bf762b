package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// jobs starts a server with n jobs, numbered from 0 on.
func jobs(t *testing.T, n int) server {
	t.Helper()
	s := memory(t)
	var in strings.Builder
	for i := range n {
		in.WriteString(`{"id": ` + strconv.Itoa(i) + "}\n")
	}
	r := cliWith(t, nil, in.String(), "write", "job", "--addr", s.addr)
	require.Zero(t, r.code, r.err)
	return s
}

// left returns how many jobs the server has, when none is held any more.
func (s server) left(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(s.must(t, "count", "job")))
	require.NoError(t, err)
	return n
}

// take returns a process that takes jobs.
func (s server) take(t *testing.T, args ...string) (cmd *exec.Cmd, stderr *strings.Builder) {
	cmd, stderr = process(t.Context(), append([]string{"take", "job", "--addr", s.addr}, args...)...), new(strings.Builder)
	cmd.Stderr = stderr
	return cmd, stderr
}

// What the reader of a pipe has not read is still in the space.
func TestTake_ReaderThatGoesLosesNothing(t *testing.T) {
	t.Parallel()
	s := jobs(t, 5000)
	cmd, stderr := s.take(t, "--all")
	head := exec.Command("head", "-1")
	var err error
	head.Stdin, err = cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	seen, err := head.Output()
	require.NoError(t, err)
	require.NoError(t, head.Stdin.(io.Closer).Close()) // the end of the pipe that this process has, too
	require.Error(t, cmd.Wait())
	require.Equal(t, `{"id":0}`+"\n", string(seen))
	require.Equal(t, 4999, s.left(t), "head has shown one")
	require.Equal(t, exitPipe, cmd.ProcessState.ExitCode())
	require.Empty(t, stderr.String())
}

func TestTake_ReaderGetsAll(t *testing.T) {
	t.Parallel()
	s := jobs(t, 5000)
	cmd, stderr := s.take(t, "--all")
	out, err := cmd.Output()
	require.NoError(t, err, stderr)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	require.Len(t, lines, 5000)
	for i, line := range lines {
		require.Equal(t, `{"id":`+strconv.Itoa(i)+`}`, line)
	}
	require.Zero(t, s.left(t))
}

// What could not be written is still in the space.
func TestTake_FullDiskLosesNothing(t *testing.T) {
	t.Parallel()
	s := jobs(t, 9)
	id := s.written(t, `{"id": 9}`)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	for _, args := range [][]string{{}, {"--all"}, {"--max", "3"}, {"--wait", "1m"}, {"--id", id}} {
		cmd, stderr := s.take(t, args...)
		cmd.Stdout = full
		require.Error(t, cmd.Run())
		require.Equal(t, exitError, cmd.ProcessState.ExitCode())
		require.Contains(t, stderr.String(), "no space left on device")
		require.Contains(t, stderr.String(), "still in the space")
		require.Equal(t, 10, s.left(t), args)
	}
}

// What a take has printed and its reader has not read is in the space again when it was killed.
func TestTake_KilledLosesNothing(t *testing.T) {
	t.Parallel()
	s := jobs(t, 5000)
	cmd, _ := s.take(t, "--all")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewReaderSize(out, 16)
	read := map[string]bool{}
	for range 100 {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		read[line] = true
	}
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait() // it was killed
	held := s.must(t, "take", "job", "--all", "--wait", "1m")
	for s.left(t) > 0 || len(read) < 5000 { // what it held comes back when the lease of its transaction ends
		for line := range strings.Lines(held) {
			read[line] = true
		}
		if len(read) < 5000 {
			held = s.must(t, "take", "job", "--all", "--wait", "1m")
		}
	}
	require.Len(t, read, 5000)
}

// A file has what is taken before the space has not.
func TestTake_ToFile(t *testing.T) {
	t.Parallel()
	s := jobs(t, 3)
	f, err := os.Create(filepath.Join(t.TempDir(), "jobs.jsonl"))
	require.NoError(t, err)
	defer f.Close()
	cmd, stderr := s.take(t, "--all")
	cmd.Stdout = f
	require.NoError(t, cmd.Run(), stderr)
	got, err := os.ReadFile(f.Name())
	require.NoError(t, err)
	require.Equal(t, "{\"id\":0}\n{\"id\":1}\n{\"id\":2}\n", string(got))
	require.Zero(t, s.left(t))
}

// With a closed output nothing is taken at all: the runtime opens /dev/null in its place, where entries would vanish.
func TestTake_ClosedOutputTakesNothing(t *testing.T) {
	t.Parallel()
	s := jobs(t, 3)
	for _, args := range [][]string{{}, {"--all"}, {"--max", "2"}, {"--id", "1"}, {"--wait", "1m"}} {
		cmd, stderr := s.take(t, args...)
		cmd.Args = append([]string{"sh", "-c", `exec "$0" "$@" >&-`, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
		require.Error(t, cmd.Run(), args)
		require.Equal(t, exitError, cmd.ProcessState.ExitCode())
		require.Equal(t, "gospaces: "+errNoOutput.Error()+"\n", stderr.String())
		require.Equal(t, 3, s.left(t), args)
	}
	cmd, stderr := s.take(t, "--all") // without an output a command gets > /dev/null
	require.NoError(t, cmd.Run(), stderr)
	require.Zero(t, s.left(t), "> /dev/null is a wish to drop them")
}
