package spacetest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
)

// ServerConfig configures Server. The zero value is a server in this process that keeps its log in a folder of the
// test.
type ServerConfig struct {
	Durability string // as node.Config has it
	Postgres   string // DSN of the database that mirrors the spaces; "": none
	MirrorLog  int64  // as node.Config has it
	MirrorFull string // as node.Config has it

	SnapshotBytes int64         // as node.Config has it
	Resume        time.Duration // as node.Config has it; not that of a process

	Process bool // run as a separate process, which can be killed
}

// ServerHandle is a server on a port of this machine. Its methods may be called concurrently, but only one
// of Kill, Start and Stop at a time.
type ServerHandle struct {
	tb   testing.TB
	cfg  ServerConfig
	data string

	running running // nil: it is down

	mu    sync.Mutex
	addr  string     // guarded by mu
	conns []net.Conn // of clients; guarded by mu
}

// running is a server that has been started.
type running interface {
	// stop ends the server in good order.
	stop() error
	// kill ends it where it stands.
	kill()
}

// Server starts a server with an empty space, and ends it with the test.
func Server(tb testing.TB, cfg ServerConfig) *ServerHandle {
	tb.Helper()
	s := &ServerHandle{tb: tb, cfg: cfg, data: tb.TempDir()}
	s.Start()
	tb.Cleanup(func() {
		if s.running != nil {
			s.running.kill()
		}
	})
	return s
}

// Addr returns the address of the server, which changes whenever it is started; "" while it is down.
func (s *ServerHandle) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Data returns the folder of the server's log.
func (s *ServerHandle) Data() string { return s.data }

// Start starts the server again, on the same data, and returns when it serves.
func (s *ServerHandle) Start() {
	s.tb.Helper()
	start := startNode
	if s.cfg.Process {
		start = startProcess
	}
	run, addr, err := start(s.tb, s.cfg, s.data)
	require.NoError(s.tb, err)
	s.running = run
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addr = addr
}

// Stop ends the server in good order.
func (s *ServerHandle) Stop() {
	s.tb.Helper()
	require.NoError(s.tb, s.down().stop())
}

// Kill ends the server at once; a separate process by SIGKILL.
func (s *ServerHandle) Kill() {
	s.down().kill()
}

// down notes that the server is about to end. From now on no client connects: its port may soon be that of another
// server.
func (s *ServerHandle) down() running {
	run := s.running
	s.running = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addr = ""
	return run
}

// Dial returns a client of the server's default space, which follows the server when it is started again, and is closed
// with tb.
func (s *ServerHandle) Dial(tb testing.TB) *Client {
	tb.Helper()
	c, err := client.DialConfig(tb.Context(), client.Config{
		Addr:       cmp.Or(s.Addr(), "down"),
		MinBackoff: time.Millisecond,
		MaxBackoff: 50 * time.Millisecond,
		Dial:       s.connect,
	})
	require.NoError(tb, err)
	tb.Cleanup(func() { c.Close() })
	return &Client{c}
}

var errDown = errors.New("the server is down")

// connect connects a client to wherever the server is now.
func (s *ServerHandle) connect(ctx context.Context, _ string) (net.Conn, error) {
	addr := s.Addr()
	if addr == "" {
		return nil, errDown
	}
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.addr != addr { // this may be another server's port meanwhile
		c.Close()
		return nil, errDown
	}
	s.conns = append(s.conns, c)
	return c, nil
}

// Cut cuts the connections of all clients.
func (s *ServerHandle) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
	s.conns = nil
}

// Client is a client that can tell how many calls wait in its space.
type Client struct{ *client.Client }

// Neighbor implements Neighbor.
func (c *Client) Neighbor(name string) space.Space { return c.SpaceNamed(name) }

// Waiting implements Waiter.
func (c *Client) Waiting(ctx context.Context) (int, error) {
	text, err := c.Status(ctx)
	if err != nil {
		return 0, err
	}
	var status struct {
		Spaces []struct {
			Name    string
			Waiting int
		}
	}
	if err := json.Unmarshal(text, &status); err != nil {
		return 0, err
	}
	for _, s := range status.Spaces {
		if s.Name == client.DefaultSpace {
			return s.Waiting, nil
		}
	}
	return 0, nil
}

// nodeServer is a server in this process.
type nodeServer struct{ node *node.Node }

func startNode(tb testing.TB, cfg ServerConfig, data string) (running, string, error) {
	n, err := node.Start(tb.Context(), node.Config{
		Listen: "127.0.0.1:0", Data: data, Durability: cfg.Durability,
		Postgres: cfg.Postgres, MirrorLog: cfg.MirrorLog, MirrorFull: cfg.MirrorFull, SnapshotBytes: cfg.SnapshotBytes,
		Resume: cfg.Resume,
	})
	if err != nil {
		return nil, "", err
	}
	return nodeServer{n}, n.Addr(), nil
}

// patience is how long a server in this process may take for an orderly end.
const patience = time.Minute

func (s nodeServer) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.node.Close(ctx)
}

func (s nodeServer) kill() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.node.Close(ctx) // it says what it had no time for
}
