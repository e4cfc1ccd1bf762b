// Package server serves the spaces of a node to clients over TCP, in the protocol of package wire.
//
// A connection belongs to a session, which outlives it for a while. One goroutine reads a connection, decodes each call
// and hands it to the partition; the partition hands the answer back at once or later, from whatever goroutine, and the
// session encodes it into one buffer of bytes to send. There is no goroutine per call.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/internal/budget"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/txn"
)

// Spaces are the spaces that a server serves. Its methods may be called concurrently.
type Spaces interface {
	// Lookup returns the place of an address. It returns call.ErrInvalidArgument for an invalid name, and another error
	// if the partition is not served here. It does not block. The host of an address stays the same until
	// Server.Replaced is called with it.
	Lookup(at txn.Address) (Place, error)
	// Create creates the named space, unless it exists, and blocks meanwhile. It returns call.ErrInvalidArgument for an
	// invalid name or shape, and for a space that has another shape; call.ErrSpaceFull if there are as many spaces as
	// allowed.
	Create(name string, shape call.Shape) error
	// Drop removes the named space with all its contents and, if tables is set, the tables of its mirror. Its calls end
	// with call.ErrDropped. It returns the hosts that Lookup has returned until now; none if the space is unchanged. It
	// returns call.ErrInvalidArgument for a space that cannot be dropped, and call.ErrNoMatch if there is none.
	Drop(ctx context.Context, name string, tables bool) (was []Host, err error)
	// Names returns the names of all spaces, sorted.
	Names() []string
	// Status returns the status of the node, a JSON object.
	Status() []byte
}

// Place is what serves the partition at an address.
type Place struct {
	Host Host
	// Incarnation changes when the partition has lost its contents. It is empty if there is no such space, or
	// partition: the host then finds nothing, and is not asked to change anything.
	Incarnation string
	Partitions  int // of the space; 0 if there is no such space
}

// Manager changes a cluster. Its method may be called concurrently.
type Manager interface {
	// Manage carries out a request, a JSON object, and returns its answer, another JSON object, or an error for the
	// client. It blocks.
	Manage(ctx context.Context, request []byte) ([]byte, error)
}

// Topology tells of a cluster. Its methods may be called concurrently, and do not block.
type Topology interface {
	Topology() *call.Topology
	Version() uint64 // that of what Topology returns
}

// Config configures a Server. Spaces is required, the zero value of the rest works.
type Config struct {
	Spaces Spaces
	Logger *slog.Logger // nil: silent

	Cluster  string   // of which the server is a node; "": it is alone
	Node     string   // name in the cluster
	Data     string   // identity of what a server has that is alone; "": not told
	Topology Topology // of the cluster; nil: the server is alone

	Snapshots Snapshots // nil: there are none
	Backups   Backups   // nil: there are none
	Manager   Manager   // of a cluster; nil: there is none

	// Took is told how long a call took, by the name of its operation: from when it was read until its outcome was
	// durable. It hears of one call in 128 of each client, and of none that waits for an entry. It must not block. nil:
	// calls are not measured
	Took func(op string, d time.Duration)

	MaxFrame  int // maximum size of a frame in bytes; 0: 16 MiB. At least 1 KiB more than the largest entry
	MaxConns  int // connections; 0: 10000
	MaxSpaces int // partitions opened by one connection; 0: 1024
	Client    ClientLimits
	Budget    *budget.Budget // of the process; nil: without limit
	// bytes that may wait to be sent on a connection; beyond that, no more calls are read from it; 0: 4 MiB
	MaxUnsent int
	// time in which a frame must arrive, plus a second for each 256 KiB of it; 0: 10 s
	Frame  time.Duration
	Idle   time.Duration // a connection without activity for this time is closed; 0: 30 s
	Resume time.Duration // time for which a session waits for its client to come back; 0: 30 s, negative: not at all
}

func (c Config) withDefaults() (Config, error) {
	c.MaxFrame = cmp.Or(c.MaxFrame, wire.DefaultMaxFrame)
	c.MaxConns = cmp.Or(c.MaxConns, 10000)
	c.MaxSpaces = cmp.Or(c.MaxSpaces, 1024)
	c.MaxUnsent = cmp.Or(c.MaxUnsent, 4<<20)
	c.Client.SetDefaults()
	c.Frame = cmp.Or(c.Frame, 10*time.Second)
	c.Idle = cmp.Or(c.Idle, 30*time.Second)
	c.Resume = cmp.Or(c.Resume, 30*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	var errs []error
	if c.Spaces == nil {
		errs = append(errs, errors.New("server: Config.Spaces is nil"))
	}
	if c.MaxFrame < wire.MinMaxFrame {
		errs = append(errs, fmt.Errorf("server: Config.MaxFrame is %d, less than %d", c.MaxFrame, wire.MinMaxFrame))
	}
	if c.MaxConns < 0 || c.MaxSpaces < 0 || c.MaxUnsent < 0 || c.Idle < 0 || c.Frame < 0 {
		errs = append(errs, errors.New("server: a limit in Config is negative"))
	}
	return c, errors.Join(errs...)
}

// ErrClosed is returned by Serve after Shutdown.
var ErrClosed = errors.New("server: closed")

// Server accepts connections and serves them. Its methods may be called concurrently.
type Server struct {
	cfg    Config
	stats  counters
	ctx    context.Context // of calls that outlast their session; ends with done
	cancel context.CancelFunc

	mu        sync.Mutex
	listeners map[net.Listener]struct{} // guarded by mu
	conns     map[net.Conn]struct{}     // guarded by mu
	sessions  map[token]*session        // guarded by mu
	clients   map[call.Client]*session  // guarded by mu; the latest of each client that repeats calls
	closing   bool                      // guarded by mu; no new listeners, connections and sessions
	cut       bool                      // guarded by mu; done is closed

	serving sync.WaitGroup // connections, sessions and the janitor
	idle    chan struct{}  // signalled, without blocking, whenever a session has ended
	done    chan struct{}  // closed when everything is to end
}

// New returns a server, which serves once Serve is called. It returns an error for an invalid cfg.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg:       cfg,
		listeners: map[net.Listener]struct{}{},
		conns:     map[net.Conn]struct{}{},
		sessions:  map[token]*session{},
		clients:   map[call.Client]*session{},
		idle:      make(chan struct{}, 1),
		done:      make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.serving.Go(s.watch)
	return s, nil
}

// Serve accepts connections on l until Shutdown, and then returns ErrClosed; any other error is l's. It closes l.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	if !s.track(l) {
		return ErrClosed
	}
	defer s.untrack(l)
	for pauses := (backoff.Backoff{Min: 5 * time.Millisecond, Max: time.Second}); ; {
		nc, err := l.Accept()
		if err == nil {
			pauses.Reset()
			s.accept(nc)
			continue
		}
		if s.isClosing() {
			return ErrClosed
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		// Probably out of file descriptors, which passes.
		delay := pauses.Next()
		s.cfg.Logger.Warn("accept", "error", err, "retry_in", delay)
		select {
		case <-time.After(delay):
		case <-s.done:
		}
	}
}

func (s *Server) track(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		s.listeners[l] = struct{}{}
	}
	return !s.closing
}

func (s *Server) untrack(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// Shutdown stops accepting connections and asks clients to go away: calls that wait are interrupted, so that clients
// repeat them elsewhere, and all answers are sent. A client without activity for a second is cut off. Shutdown returns
// when all clients have gone; if ctx ends before, it cuts off the rest and returns ctx's error. It is idempotent.
func (s *Server) Shutdown(ctx context.Context) error {
	for _, ss := range s.stopAccepting() {
		ss.goAway()
	}
	err := s.drain(ctx)
	s.cutOff()
	s.serving.Wait()
	return err
}

// stopAccepting returns the sessions; no further ones begin.
func (s *Server) stopAccepting() []*session {
	s.mu.Lock()
	s.closing = true
	for l := range s.listeners {
		l.Close()
	}
	s.mu.Unlock()
	return s.allSessions()
}

func (s *Server) allSessions() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.sessions))
}

// stalled is how long a shutdown waits for a client without activity.
const stalled = time.Second

// drain waits until no session is left.
func (s *Server) drain(ctx context.Context) error {
	tick := time.NewTicker(stalled)
	defer tick.Stop()
	seen := map[*session]uint64{}
	for {
		left := s.allSessions()
		if len(left) == 0 {
			return nil
		}
		select {
		case <-s.idle:
		case <-tick.C:
			s.cfg.Logger.Info("waiting for clients", "sessions", len(left))
			for _, ss := range left {
				if !ss.leaves(seen) {
					s.cfg.Logger.Warn("client cut off: it does not read", "remote", ss.remote())
					ss.end()
				}
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// cutOff ends all connections and sessions. It is idempotent.
func (s *Server) cutOff() {
	s.mu.Lock()
	for nc := range s.conns {
		nc.Close()
	}
	if !s.cut {
		s.cut = true
		s.cancel()
		close(s.done)
	}
	s.mu.Unlock()
	for _, ss := range s.allSessions() {
		ss.end()
	}
}
