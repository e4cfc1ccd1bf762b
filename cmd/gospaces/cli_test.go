package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// result is what a run of the program left.
type result struct {
	code     int
	out, err string
}

// cli runs the program with an empty environment and standard input, until it ends.
func cli(t *testing.T, args ...string) result {
	t.Helper()
	return cliWith(t, nil, "", args...)
}

// cliWith is cli with an environment, and something on standard input.
func cliWith(t *testing.T, env map[string]string, stdin string, args ...string) result {
	t.Helper()
	var out, err strings.Builder
	code := run(t.Context(), args, getenv(env), strings.NewReader(stdin), &out, &err)
	return result{code, out.String(), err.String()}
}

// server is `gospaces serve` in this process.
type server struct {
	addr string
	stop func() result // interrupts it and waits; may be called again
}

// serve starts a server on a free port and waits until it is ready. It is stopped when the test ends.
func serve(t *testing.T, args ...string) server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	done := make(chan result, 1)
	go func() {
		args := append([]string{"serve", "--listen", "127.0.0.1:0", "--log-level", "warn"}, args...)
		code := run(ctx, args, getenv(nil), strings.NewReader(""), in, t.Output())
		in.Close()
		done <- result{code: code}
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "the server ends before it is ready")
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "gospaces: ready at ")
	require.True(t, ok, line)
	s := server{addr: addr, stop: func() result {
		cancel()
		r := <-done
		done <- r
		return r
	}}
	t.Cleanup(func() { require.Zero(t, s.stop().code) })
	return s
}

// memory starts a server that keeps nothing.
func memory(t *testing.T, args ...string) server {
	t.Helper()
	return serve(t, append([]string{"--durability", "memory"}, args...)...)
}

// do runs a command against the server.
func (s server) do(t *testing.T, args ...string) result {
	t.Helper()
	return cliWith(t, map[string]string{"GOSPACES_ADDR": s.addr}, "", args...)
}

// must runs a command that succeeds and returns its output.
func (s server) must(t *testing.T, args ...string) string {
	t.Helper()
	r := s.do(t, args...)
	require.Zero(t, r.code, r.err)
	require.Empty(t, r.err)
	return r.out
}
