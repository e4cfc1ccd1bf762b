package client_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/txn"
)

// spaces are spaces in memory for a server under test.
type spaces struct {
	cfg partition.Config

	mu     sync.Mutex
	open   map[string]*partition.Host // guarded by mu
	born   int                        // guarded by mu; part of the incarnation
	logs   map[string]partition.Log   // of some of the spaces; others have none
	absent *partition.Host
	refuse func(at txn.Address) error // guarded by mu; nil: no lookup fails
	drops  chan string                // nil, or gets the names of spaces whose drops then wait until they are cancelled
}

func newSpaces(t testing.TB, cfg partition.Config) *spaces {
	s := &spaces{cfg: cfg, open: map[string]*partition.Host{}, absent: absent(t)}
	t.Cleanup(s.forget)
	return s
}

// absent returns what stands for all spaces that do not exist, until the test ends.
func absent(t testing.TB) *partition.Host {
	h, err := partition.NewAbsent(nil)
	require.NoError(t, err)
	t.Cleanup(func() { h.Close() })
	return h
}

func (s *spaces) Lookup(at txn.Address) (server.Place, error) {
	if at.Partition != 0 {
		return server.Place{}, fmt.Errorf("%w: no partition %v", call.ErrInvalidArgument, at)
	}
	name := at.Space
	s.mu.Lock()
	if s.refuse != nil {
		if err := s.refuse(at); err != nil {
			s.mu.Unlock()
			return server.Place{}, err
		}
	}
	p := s.open[name]
	_, logged := s.logs[name]
	s.mu.Unlock()
	if p == nil && !logged && name != client.DefaultSpace && name != "" && name[0] != '-' {
		return server.Place{Host: s.absent}, nil
	}
	h, incarnation, err := s.make(name)
	if err != nil {
		return server.Place{}, err
	}
	return server.Place{Host: h, Incarnation: incarnation, Partitions: 1}, nil
}

func (s *spaces) Drop(ctx context.Context, name string, _ bool) ([]server.Host, error) {
	if s.drops != nil {
		s.drops <- name
		<-ctx.Done()
	}
	return nil, call.ErrInvalidArgument
}

func (s *spaces) Create(name string, _ call.Shape) error {
	_, _, err := s.make(name)
	return err
}

func (s *spaces) make(name string) (*partition.Host, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name == "" || name[0] == '-' {
		return nil, "", fmt.Errorf("%w: space name %q", call.ErrInvalidArgument, name)
	}
	p := s.open[name]
	if p == nil {
		cfg := s.cfg
		if log := s.logs[name]; log != nil {
			cfg.Log = log
		}
		p = partition.Alone(partition.New(cfg))
		if err := p.Start(context.Background(), nil); err != nil {
			return nil, "", err
		}
		s.open[name] = p
	}
	return p, fmt.Sprint(s.born), nil
}

func (s *spaces) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range s.open {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (s *spaces) Status() []byte { return []byte(`{"state":"fine"}`) }

// forget closes all spaces; those opened from then on are others.
func (s *spaces) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.open {
		p.Close()
	}
	clear(s.open)
	s.born++
}

// node is a server that can be stopped and started again at the same address.
type node struct {
	t      testing.TB
	spaces *spaces
	cfg    server.Config
	addr   string

	srv      *server.Server
	listener *droppable
	served   chan error
}

// startNode starts a server that ends with the test.
func startNode(t testing.TB, cfg server.Config) *node {
	n := newNode(t, cfg)
	n.start()
	return n
}

// newNode returns a server that is yet to be started.
func newNode(t testing.TB, cfg server.Config) *node {
	n := &node{t: t, spaces: newSpaces(t, partition.Config{}), cfg: cfg, addr: "127.0.0.1:0"}
	n.cfg.Spaces = n.spaces
	t.Cleanup(n.kill)
	return n
}

func (n *node) start() {
	l, err := net.Listen("tcp", n.addr)
	require.NoError(n.t, err)
	if n.listener == nil { // otherwise it is the same, and clients read it
		n.addr = l.Addr().String()
	}
	n.srv, err = server.New(n.cfg)
	require.NoError(n.t, err)
	n.served = make(chan error, 1)
	n.listener = &droppable{Listener: l}
	srv, served, listener := n.srv, n.served, n.listener
	go func() { served <- srv.Serve(listener) }()
}

// kill ends the server without letting a call finish.
func (n *node) kill() {
	if n.srv == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = n.srv.Shutdown(ctx)
	require.ErrorIs(n.t, <-n.served, server.ErrClosed)
	n.srv = nil
}

// dial returns a client that ends with the test.
func (n *node) dial(cfg client.Config) *client.Client {
	cfg.Addr = n.addr
	cfg.MinBackoff, cfg.MaxBackoff = time.Millisecond, 10*time.Millisecond
	c, err := client.DialConfig(n.t.Context(), cfg)
	require.NoError(n.t, err)
	n.t.Cleanup(func() { c.Close() })
	return c
}

// partition returns that of the default space.
func (n *node) partition() *partition.Partition {
	p, _, err := n.spaces.make("default")
	require.NoError(n.t, err)
	return p.Partition
}

// awaitWaiting waits until that many calls wait in a space.
func (n *node) awaitWaiting(name string, want int) {
	p, _, err := n.spaces.make(name)
	require.NoError(n.t, err)
	require.Eventually(n.t, func() bool { return p.Stats().Waiting == want }, time.Minute, time.Millisecond)
}

// dropConnections closes all connections of the node, whose sessions stay.
func (n *node) dropConnections() { n.listener.drop() }

// droppable is a listener that can close all connections that it has accepted.
type droppable struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn // guarded by mu
}

func (l *droppable) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.mu.Lock()
		l.conns = append(l.conns, c)
		l.mu.Unlock()
	}
	return c, err
}

func (l *droppable) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		c.Close()
	}
	l.conns = nil
}
