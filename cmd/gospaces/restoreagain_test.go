package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/spacetest"
)

// narrow is a way to a server that carries a number of requests, and then holds back the next.
type narrow struct {
	addr string
	held chan struct{} // closed when one is held back

	mu   sync.Mutex
	left int // guarded by mu
}

// newNarrow returns a way to the server at an address, until ctx ends.
func newNarrow(ctx context.Context, t *testing.T, to string, requests int) *narrow {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	n := &narrow{addr: l.Addr().String(), held: make(chan struct{}), left: requests}
	context.AfterFunc(ctx, func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go n.carry(ctx, conn, to)
		}
	}()
	return n
}

func (n *narrow) carry(ctx context.Context, from net.Conn, addr string) {
	defer from.Close()
	to, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer to.Close()
	go func() {
		_, _ = io.Copy(from, to)
		from.Close()
	}()
	for buf := make([]byte, 1<<20); ; {
		size, err := from.Read(buf)
		if err != nil {
			return
		}
		if !n.next() {
			<-ctx.Done()
			return
		}
		if _, err := to.Write(buf[:size]); err != nil {
			return
		}
	}
}

// next reports whether a request may pass.
func (n *narrow) next() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.left--
	if n.left == -1 {
		close(n.held)
	}
	return n.left >= 0
}

// killedAfter runs a command as a process, whose last argument is the address of a server, and kills it when it has
// sent that server some requests. It returns what the command has printed, and whether it has succeeded before.
func killedAfter(t *testing.T, requests int, args ...string) (out string, ended bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	way := newNarrow(ctx, t, args[len(args)-1], requests)
	p := process(ctx, append(args[:len(args)-1:len(args)-1], way.addr)...)
	var printed, log strings.Builder
	p.Stdout, p.Stderr = &printed, &log
	require.NoError(t, p.Start())
	over := make(chan error, 1)
	go func() { over <- p.Wait() }()
	select {
	case err := <-over:
		require.NoError(t, err, log.String())
		return printed.String(), true
	case <-way.held:
		require.NoError(t, p.Process.Kill())
		<-over
		return printed.String(), false
	}
}

// A restore into a cluster that is killed, wherever it is, and while nodes are killed too, goes on when it is repeated.
// Nothing is served before all is there.
func TestRestore_IntoAClusterIsRepeated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "spaces.backup")
	s := serve(t, "--data", filepath.Join(dir, "server"))
	fillServer(t, s)
	s.must(t, "spaces", "create", "archive")
	s.must(t, "write", "job", `{"id": 9}`, "--space", "archive")
	s.must(t, "backup", file)

	c := spacetest.StartCluster(t, spacetest.ClusterConfig{Process: true})
	rounds := 0
	for requests := 7; ; requests += 2 {
		asked := c.Nodes[requests%len(c.Nodes)]
		out, ended := killedAfter(t, requests, "restore", file, "--cluster", "--addr", asked.Addr)
		if ended {
			require.Equal(t, "{\"space\":\"archive\"}\n{\"space\":\"default\"}\n{\"space\":\"orders\"}\n", out)
			break
		}
		if unfinished(t, c.Addrs()) > 0 {
			rounds++
		}
		if rounds == 1 {
			asked.Kill()
			asked.Start()
		}
	}
	require.GreaterOrEqual(t, rounds, 2)
	require.Zero(t, unfinished(t, c.Addrs()))
	sameContents(t, s.addr, c.Addrs())
	require.Equal(t, contentsOf(t, s.addr, "archive"), contentsOf(t, c.Addrs(), "archive"))
}

// unfinished returns how many spaces of a cluster are being restored, as its commands say.
func unfinished(t *testing.T, addr string) (spaces int) {
	t.Helper()
	r := cli(t, "spaces", "list", "--addr", addr)
	require.Zero(t, r.code, r.err)
	spaces = strings.Count(r.err, "it is being restored or loaded")
	var st clusterStatus
	require.NoError(t, json.Unmarshal([]byte(cli(t, "cluster", "status", "--addr", addr).out), &st))
	told := 0
	for _, p := range st.Partitions {
		if p.Filling && p.Partition == 0 {
			require.Empty(t, p.Primary)
			told++
		}
	}
	require.Equal(t, spaces, told)
	return spaces
}
