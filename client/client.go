// Package client is the Go SDK: spaces on a server, behind the same interface as a space in process.
//
// All calls of a Client share few connections, each of which carries any number of calls at a time. A failed connection
// is reopened, and its session continues: calls in flight, waits and registrations do not notice. If the server no
// longer has the session, because it was restarted or too much time has passed, calls are repeated: the space knows
// which it has executed, and returns their outcomes again. Calls under a transaction are not repeated; if they were
// sent they end with space.ErrOutcomeUnknown.
package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/route"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// DefaultSpace is the default of Config.Space.
const DefaultSpace = "default"

// Config configures a Client. Addr is required; other fields have defaults.
type Config struct {
	Addr   string       // host:port of the server, or of several, see Dial
	Space  string       // name of the client's own space; "": DefaultSpace
	Conns  int          // connections to each server; 0: 1
	Logger *slog.Logger // nil: silent

	DialTimeout time.Duration // limit of one attempt to connect, and of Dial's wait for a space to be served; 0: 5 s
	MinBackoff  time.Duration // pause before the second attempt to reconnect; 0: 50 ms
	MaxBackoff  time.Duration // maximum pause between attempts; 0: 5 s
	EventWindow int           // bytes of events buffered for a slow listener of a registration; 0: 1 MiB

	// Grace is how long a call whose context has ended waits to learn its outcome; 0: 2 s. A read or take with a limited
	// wait, or without one, that finds no connection to the server ends with space.ErrUnavailable this long after its
	// wait. All other calls wait for the server until their contexts end.
	Grace time.Duration

	// Dial opens the connections; nil: TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
}

func (c Config) withDefaults() (Config, error) {
	var errs []error
	switch {
	case c.Addr == "":
		errs = append(errs, errors.New("client: Config.Addr is empty"))
	case slices.Contains(c.addrs(), ""):
		errs = append(errs, fmt.Errorf("client: Config.Addr %q has an empty address: write host:port,host:port", c.Addr))
	case c.Dial == nil:
		errs = append(errs, checkAddrs(c.addrs()))
	}
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"Conns", int64(c.Conns)},
		{"DialTimeout", int64(c.DialTimeout)},
		{"MinBackoff", int64(c.MinBackoff)},
		{"MaxBackoff", int64(c.MaxBackoff)},
		{"Grace", int64(c.Grace)},
		{"EventWindow", int64(c.EventWindow)},
	} {
		if n.value < 0 {
			errs = append(errs, fmt.Errorf("client: Config.%s is negative", n.name))
		}
	}
	c.Space = cmp.Or(c.Space, DefaultSpace)
	c.Conns = cmp.Or(c.Conns, 1)
	c.DialTimeout = cmp.Or(c.DialTimeout, 5*time.Second)
	c.MinBackoff = cmp.Or(c.MinBackoff, 50*time.Millisecond)
	c.MaxBackoff = cmp.Or(c.MaxBackoff, 5*time.Second)
	c.Grace = cmp.Or(c.Grace, 2*time.Second)
	c.EventWindow = cmp.Or(c.EventWindow, 1<<20)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Dial == nil {
		c.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return c, fmt.Errorf("%w: %w", space.ErrInvalidArgument, err)
	}
	return c, nil
}

// checkAddrs returns an error if one of addrs is no address of a TCP port.
func checkAddrs(addrs []string) error {
	for _, addr := range addrs {
		_, port, err := net.SplitHostPort(addr)
		if err == nil {
			_, err = net.LookupPort("tcp", port)
		}
		if err != nil || port == "" {
			return fmt.Errorf("client: %q is not an address: write host:port, as in localhost:7420", addr)
		}
	}
	return nil
}

// addrs returns the addresses of Addr.
func (c *Config) addrs() []string {
	addrs := strings.Split(c.Addr, ",")
	for i := range addrs {
		addrs[i] = strings.TrimSpace(addrs[i])
	}
	return addrs
}

// backoff returns the pauses between attempts at something that the server cannot do at the moment.
func (c *Config) backoff() backoff.Backoff {
	return backoff.Backoff{Min: c.MinBackoff, Max: c.MaxBackoff}
}

// Client is a connection to a server, and the space on it that Config.Space names. Its methods may be called
// concurrently.
type Client struct {
	*Space
	cfg      Config
	lanes    []*lane // immutable
	topology topology
	calls    sync.Pool      // of *pendingCall
	once     sync.Once      // closes
	racing   sync.WaitGroup // calls that wait in several partitions

	warned atomic.Int64 // when a call that waits was last logged, in nanoseconds since 1970

	mu     sync.Mutex
	spaces []*Space // guarded by mu
	parts  []*part  // guarded by mu; by handle
}

var _ space.Space = (*Client)(nil)

// Dial connects to the server at addr, such as "localhost:7420", and its space "default". Several addresses, separated
// by commas, are those of the nodes of a cluster ("n1:7420,n2:7420"), or of one server: Dial connects to the first that
// answers (it tries the next one when one has failed, or has not answered for 300 ms), and when a node cannot be
// reached any more the client goes on to the next. It never goes on at a server with other data. One address is enough
// to find the nodes that others tell of. It blocks, and returns errors, as DialConfig does.
func Dial(ctx context.Context, addr string) (*Client, error) {
	return DialConfig(ctx, Config{Addr: addr})
}

// DialConfig connects to a server. It blocks until the server has answered, for Config.DialTimeout at most, and then
// until the space is served, for as long again, or ctx ends. It tries once, so that a wrong address is noticed at once:
// it returns the dialer's error if nothing listens there, ErrNotServer if it is not a gospaces server,
// space.ErrUnavailable if no node serves the space, and space.ErrInvalidArgument for an invalid Config or name of a
// space, and for addresses of servers with different data. Later, failed connections are reopened for as long as it
// takes. It is no error if the space does not exist: the first write creates it. The caller must close the Client.
func DialConfig(ctx context.Context, cfg Config) (*Client, error) {
	c, n, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	c.meet(ctx, n)
	if err := c.compare(ctx, n); err != nil {
		closeLinks(c.topology.close())
		return nil, err
	}
	if err := c.Space.reach(ctx); err != nil {
		closeLinks(c.topology.close())
		return nil, fmt.Errorf("client: open space %q on %s: %w", c.cfg.Space, n.addr, err)
	}
	return c, nil
}

// connect returns a client, and the node to which it has connected.
func connect(ctx context.Context, cfg Config) (*Client, *node, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, nil, err
	}
	c := &Client{cfg: cfg}
	for i := range cfg.Conns {
		c.lanes = append(c.lanes, newLane(i))
	}
	n, err := c.dial(ctx, cfg.addrs())
	if err != nil {
		return nil, nil, err
	}
	c.Space = c.SpaceNamed(cfg.Space)
	return c, n, nil
}

// SpaceNamed returns another space on the same connections. If it does not exist, reads, takes and counts find nothing
// in it, waits work, and the first write, registration or transaction creates it. Calls return space.ErrInvalidArgument
// if the server does not accept the name. Closing the Space leaves the Client open.
func (c *Client) SpaceNamed(name string) *Space {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spaces {
		if s.name == name && !s.isClosed() {
			return s
		}
	}
	s := newSpace(c, name)
	s.only = c.addPartLocked(s, 0, 1)
	c.spaces = append(c.spaces, s)
	return s
}

// addPart returns a new view of a partition of s, as one of so many.
func (c *Client) addPart(s *Space, number uint16, of int) *part {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.addPartLocked(s, number, of)
}

func (c *Client) addPartLocked(s *Space, number uint16, of int) *part {
	p := &part{
		space: s, client: c, at: txn.Address{Space: s.name, Partition: number}, of: of, handle: uint64(len(c.parts)),
		gone: make(chan struct{}),
	}
	c.topology.place(p)
	c.parts = append(c.parts, p)
	return p
}

// allParts returns the partitions that were asked for.
func (c *Client) allParts() []*part {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.parts)
}

// Close ends waiting calls with space.ErrClosed, waits briefly for the outcomes of others, and closes the connections.
// It is idempotent.
func (c *Client) Close() error {
	c.once.Do(func() {
		c.mu.Lock()
		spaces := c.spaces
		c.mu.Unlock()
		for _, s := range spaces {
			s.Close()
		}
		closeLinks(c.topology.close())
		c.racing.Wait()
	})
	return nil
}

func closeLinks(links []*link) {
	var closing sync.WaitGroup
	for _, l := range links {
		closing.Go(l.close)
	}
	closing.Wait()
}

// lane returns one of the lanes.
func (c *Client) lane() *lane { return c.lanes[rand.IntN(len(c.lanes))] }

// Echo returns payload as sent back by the server, and does nothing else: it measures the round trip. Like Spaces and
// Status it blocks until the server has answered, or ctx ends; without a connection it waits for one, for at most
// Config.Grace, and then returns space.ErrUnavailable.
func (c *Client) Echo(ctx context.Context, payload []byte) ([]byte, error) {
	call := newCall(c.Space.only, wire.Echo)
	defer call.free()
	call.payload = payload
	if err := c.do(ctx, call); err != nil {
		return nil, err
	}
	return append([]byte(nil), call.body...), nil
}

// Spaces returns the sorted names of all spaces on the server, including those that it refuses to serve. It blocks like
// Echo.
func (c *Client) Spaces(ctx context.Context) ([]string, error) {
	return newCall(c.Space.only, wire.Spaces).names(ctx)
}

// names makes a call for the names of spaces, and frees it.
func (c *pendingCall) names(ctx context.Context) ([]string, error) {
	defer c.free()
	r, err := c.do(ctx)
	if err != nil {
		return nil, err
	}
	return r.Report.Names, nil
}

// CreateSpace creates a space if it does not exist. It blocks until the space exists. It returns
// space.ErrInvalidArgument for an invalid name, and space.ErrSpaceFull if the server has the maximum number of spaces.
func (c *Client) CreateSpace(ctx context.Context, name string, opts ...SpaceOption) error {
	return newCall(c.Space.only, wire.CreateSpace).create(ctx, name, opts)
}

// create makes a call that creates a space, and frees it.
func (c *pendingCall) create(ctx context.Context, name string, opts []SpaceOption) error {
	defer c.free()
	c.name = name
	for _, o := range opts {
		if err := o(c); err != nil {
			return err
		}
	}
	_, err := c.do(ctx)
	return err
}

// SpaceOption is an option of CreateSpace.
type SpaceOption func(c *pendingCall) error

// Partitions makes a space of n partitions, 1 to 256, for as long as it exists. See section 10 of docs/semantics.md for
// what several mean; the default is 1. If the space exists with another number CreateSpace returns
// space.ErrInvalidArgument.
func Partitions(n int) SpaceOption {
	return func(c *pendingCall) error {
		if n < 1 || n > route.MaxPartitions {
			return invalid("a space of %d partitions; it has 1 to %d", n, route.MaxPartitions)
		}
		c.shape.Partitions = uint64(n)
		return nil
	}
}

// Replicas makes a space of which n nodes of a cluster each have a copy, 1 to 5. A majority of them must be there for
// the space to be served: with 3 any one may fail, with 5 any two. The default is the server's (serve --replicas). If
// the space exists with another number CreateSpace returns space.ErrInvalidArgument; so does a server without a
// cluster for more than one.
func Replicas(n int) SpaceOption {
	return func(c *pendingCall) error {
		if n < 1 || n > call.MaxReplicas {
			return invalid("a space with %d replicas; it has 1 to %d", n, call.MaxReplicas)
		}
		c.shape.Replicas = uint64(n)
		return nil
	}
}

// DropSpace removes a space and its content permanently. Calls that wait in it end with space.ErrDropped, its
// registrations too, and its transactions have ended. The tables of its mirror stay in the database as they are, unless
// tables is set; with it, those that an earlier DropSpace has left are dropped too. A space created under the same name
// later is a new one.
//
// It blocks until nothing brings the space back. It returns space.ErrNoMatch if there is no such space;
// space.ErrInvalidArgument for the space "default", while transactions over several spaces have parts in the space, and
// if tables is set and there is no database; and space.ErrOutcomeUnknown if the connection is lost: check with Spaces.
func (c *Client) DropSpace(ctx context.Context, name string, tables bool) error {
	return newCall(c.Space.only, wire.DropSpace).drop(ctx, name, tables)
}

// drop makes a call that drops a space, and frees it.
func (c *pendingCall) drop(ctx context.Context, name string, tables bool) error {
	defer c.free()
	c.name, c.tables = name, tables
	_, err := c.do(ctx)
	return err
}

// Status returns the server's status: the JSON object that gospaces status --json prints. In a cluster that is the
// status of the node that serves the client's space; NodeClient asks a certain node. It blocks like Echo.
func (c *Client) Status(ctx context.Context) ([]byte, error) {
	call := newCall(c.Space.only, wire.Status)
	defer call.free()
	r, err := call.do(ctx)
	if err != nil {
		return nil, err
	}
	return append([]byte(nil), r.Report.Body...), nil
}
