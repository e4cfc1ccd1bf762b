// Package node runs a gospaces server in a process: the logs in its folder, a partition for each space, their mirrors,
// and the TCP server in front of them. gospaces serve is little more than a Node and its flags. A program that embeds
// one is beside the data: its calls to Node.Space need no network, while clients use the same spaces.
//
//	n, err := node.Start(ctx, node.Config{Data: "jobs-data", Listen: "127.0.0.1:7420"})
//	defer n.Close(context.Background())
//	jobs, err := n.Space("jobs")
//	job, err := space.Take(ctx, jobs, Job{State: "new"})
package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gospaces/gospaces/internal/budget"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/writeback"
)

// Durability levels, by what an acknowledged change survives.
const (
	Memory = "memory" // nothing
	Logged = "logged" // the end of the process, including kill -9
	Synced = "synced" // loss of power
)

// Config configures a Node. Data is required unless Durability is Memory; other fields have defaults.
type Config struct {
	Listen     string // address, as in 127.0.0.1:7420; port 0 takes any free one; "": there are no clients
	Data       string // folder of the logs, made if it is not there; unused with Memory
	Durability string // Memory, Logged or Synced; "": Logged
	Postgres   string // DSN of the database for the mirrors; "": no mirrors
	Mirror     writeback.Modes
	MirrorLog  int64  // bytes of a log kept for a database that is away; 0: 1 GiB
	MirrorFull string // policy when that limit is reached: Rebase, Block or Refuse; "": Rebase
	// maximum number of connections to the database, for all mirrors together, in a cluster for those of all nodes; 0:
	// writeback.DefaultConns, in a cluster twice as many
	Conns     int
	Lanes     int           // maximum number of connections of one mirror; 0: writeback.DefaultLanes()
	MaxEntry  int           // bytes of one entry; 0: 1 MiB
	MaxCall   int           // bytes of all entries of one write; 0: 8 MiB
	MaxLog    int64         // bytes of one space's log; 0: limited by the disk
	MaxLease  time.Duration // maximum lease of entries; 0: no limit
	MaxListen time.Duration // maximum lease of registrations; 0: no limit
	MaxTxn    time.Duration // maximum lease of transactions; 0: no limit
	// A snapshot is taken when the log has grown by SnapshotBytes, or by the size of the last snapshot if that is larger;
	// or after SnapshotEvery.
	SnapshotBytes int64         // 0: 64 MiB
	SnapshotEvery time.Duration // 0: an hour
	EventLog      int64         // bytes of a log kept for listeners that do not collect their events; 0: 1 GiB

	// Admin is an address for operators, as in 127.0.0.1:7421: over HTTP it serves /healthz, /readyz, /metrics
	// (Prometheus) and /debug/pprof. Nothing protects it. "": none.
	Admin string

	AcceptLoss bool // start with what is left of lost or damaged logs

	Cluster *Cluster // of which the node is one; nil: it is alone

	Limits Limits

	// Resume is how long a session, and after a restart the transactions of a client, wait for the client to come back; 0:
	// 30 s.
	Resume time.Duration
	Logger *slog.Logger // nil: silent

	Version string // of the program, for the log

	took    prometheus.Observer                               // of appends; nil: they are not measured
	wrapLog func(space string, l partition.Log) partition.Log // for tests; nil: no wrapper
}

// SettingError is a setting of Config that is wrong or missing; Setting is its field, as in "Cluster.Key".
type SettingError = replication.SettingError

// wrong returns a SettingError with a formatted problem.
func wrong(setting, problem string, args ...any) error {
	return &SettingError{Setting: setting, Problem: fmt.Sprintf(problem, args...)}
}

// Check validates the settings, as Start does; it uses neither the folder nor the address. It returns SettingErrors,
// joined if there are several.
func (c Config) Check() error { return c.setDefaults() }

func (c *Config) setDefaults() error {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	levels, standard := c.levels()
	c.Durability = cmp.Or(c.Durability, standard)
	c.MirrorFull = cmp.Or(c.MirrorFull, Rebase)
	if c.Cluster != nil {
		c.Conns = cmp.Or(c.Conns, clusterConns)
	}
	c.Limits.setDefaults()
	c.SnapshotBytes = cmp.Or(c.SnapshotBytes, 64<<20)
	c.SnapshotEvery = cmp.Or(c.SnapshotEvery, time.Hour)
	c.EventLog, c.MirrorLog = cmp.Or(c.EventLog, 1<<30), cmp.Or(c.MirrorLog, 1<<30)
	errs := []error{c.checkLog(levels), c.checkMirror(), c.checkBounds(), c.Limits.check()}
	if c.Listen != "" {
		errs = append(errs, checkAddr("Listen", c.Listen))
	}
	if c.Admin != "" {
		errs = append(errs, checkAddr("Admin", c.Admin))
	}
	if c.Cluster != nil {
		errs = append(errs, c.Cluster.setDefaults(c.Listen, c.Durability))
	}
	return errors.Join(errs...)
}

// checkLog validates what the settings say of the log.
func (c *Config) checkLog(levels []string) error {
	switch {
	case !slices.Contains(levels, c.Durability):
		return wrong("Durability", "is %q; it is %s", c.Durability, alternatives(levels))
	case c.Cluster != nil && c.AcceptLoss:
		return wrong("AcceptLoss",
			"is not for a node of a cluster: it has from the others what its disk has lost; give it an empty folder")
	case c.Durability == Memory && c.Postgres != "":
		return wrong("Postgres", "needs a log, which the mirror reads: Durability is memory; it must be logged or "+
			"synced")
	case c.Durability != Memory && c.Data == "":
		return wrong("Data", "is empty: it is the folder of the log")
	}
	return nil
}

// checkMirror validates the settings of the mirrors.
func (c *Config) checkMirror() error {
	switch {
	case c.MirrorFull != Rebase && c.MirrorFull != Block && c.MirrorFull != Refuse:
		return wrong("MirrorFull", "is %q; it is rebase, block or refuse", c.MirrorFull)
	case c.Conns < 0 || c.Conns > writeback.MaxConns:
		return wrong("Conns", "is %d; it is %d at most, or 0 for %d", c.Conns, writeback.MaxConns,
			writeback.DefaultConns)
	case c.Lanes < 0 || c.Lanes > writeback.MaxLanes:
		return wrong("Lanes", "is %d; it is %d at most, or 0 for as many as suit the machine", c.Lanes,
			writeback.MaxLanes)
	}
	return nil
}

// checkBounds validates sizes and times.
func (c *Config) checkBounds() error {
	var errs []error
	for _, b := range []struct {
		setting string
		value   int64
	}{
		{"MaxLease", int64(c.MaxLease)},
		{"MaxListen", int64(c.MaxListen)},
		{"MaxTxn", int64(c.MaxTxn)},
		{"SnapshotBytes", c.SnapshotBytes},
		{"SnapshotEvery", int64(c.SnapshotEvery)},
		{"EventLog", c.EventLog},
		{"MirrorLog", c.MirrorLog},
	} {
		if b.value < 0 {
			errs = append(errs, wrong(b.setting, "is negative"))
		}
	}
	if c.MaxEntry > maxCall {
		errs = append(errs, wrong("MaxEntry", "is %d; it is %d at most: one log message must hold it", c.MaxEntry,
			maxCall))
	}
	if c.MaxCall > maxCall {
		errs = append(errs, wrong("MaxCall", "is %d; it is %d at most: one log message must hold it", c.MaxCall,
			maxCall))
	}
	return errors.Join(errs...)
}

// checkAddr returns nil for an address to listen on.
func checkAddr(setting, addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return wrong(setting, "is %q; write HOST:PORT, as in 127.0.0.1:7420", addr)
	}
	return nil
}

// clusterConns is the default of Config.Conns in a cluster.
const clusterConns = 2 * writeback.DefaultConns

// alternatives returns some words as in "a, b or c".
func alternatives(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// maxCall leaves room for the ids and lengths of many small entries in one log message.
const maxCall = replication.MaxMessage / 2

// Node is a running server.
type Node struct {
	cfg     Config
	budget  *budget.Budget
	spaces  *spaces // nil in a cluster
	fleet   *fleet  // nil without a cluster
	backups backups
	server  *server.Server
	addr    net.Addr
	started time.Time
	served  chan error // the result of Serve

	admin    *admin // nil without Config.Admin
	appends  prometheus.Histogram
	calls    *prometheus.HistogramVec // nil without Config.Admin
	up       atomic.Bool              // it serves, and has not begun to stop
	stopping atomic.Bool

	closing  sync.Once
	closeErr error // the result of close; set by closing
}

// Start starts a node: it reads the state from the folder, and serves. Until the state is read, clients that connect
// are told the progress. Start returns ctx's error if ctx ends first, and otherwise an error that describes the problem
// with cfg, the address, the folder or a log. A space with an incomplete log is not served if there are others: its
// calls fail with space.ErrUnavailable, and the log and the status say why. A folder belongs to one node at a time. The
// caller closes the node, which goes on when ctx ends.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, budget: budget.New(cfg.Limits.Memory), started: time.Now(), served: make(chan error, 1)}
	if cfg.Admin != "" {
		n.appends, n.calls = newAppends(), newCalls()
		n.cfg.took = n.appends
		if err := n.startAdmin(); err != nil {
			return nil, err
		}
	}
	if err := n.listen(ctx); err != nil {
		return nil, errors.Join(err, n.admin.close())
	}
	n.up.Store(true)
	n.announce()
	return n, nil
}

// listen starts the node, and serves clients if it has an address.
func (n *Node) listen(ctx context.Context) error {
	up := &startup{logger: n.cfg.Logger}
	if n.cfg.Listen == "" {
		if err := n.start(ctx, up); err != nil {
			return err
		}
		n.served <- server.ErrClosed
		return nil
	}
	listener, err := listenOn("Listen", n.cfg.Listen)
	if err != nil {
		return err
	}
	n.addr = listener.Addr()
	answering := server.AnswerStarting(listener.(*net.TCPListener), up.report)
	err = n.start(ctx, up)
	if err = errors.Join(err, answering.Stop()); err != nil {
		listener.Close()
		return err
	}
	go func() { n.served <- n.server.Serve(listener) }()
	return nil
}

// listenOn listens on the address in a setting.
func listenOn(setting, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		problem := fmt.Sprintf("is %s, where the node cannot listen", addr)
		return nil, &SettingError{Setting: setting, Problem: problem, Err: err}
	}
	return l, nil
}

func (n *Node) start(ctx context.Context, up *startup) error {
	if n.cfg.Cluster != nil {
		return n.startInCluster(ctx, up)
	}
	var err error
	if n.spaces, err = openSpaces(ctx, &n.cfg, n.budget, up); err != nil {
		return err
	}
	cfg := n.serverConfig()
	cfg.Spaces, cfg.Snapshots, cfg.Backups = backend{n}, backend{n}, backend{n}
	cfg.Data = n.spaces.identity()
	if n.server, err = server.New(cfg); err != nil {
		return errors.Join(err, n.spaces.close(ctx))
	}
	return nil
}

// startInCluster is start for a node of a cluster. It returns once a majority of the cluster can be reached.
func (n *Node) startInCluster(ctx context.Context, up *startup) error {
	var err error
	if n.fleet, err = openFleet(ctx, &n.cfg, n.budget, up.waits); err != nil {
		return err
	}
	up.joins()
	cfg := n.serverConfig()
	cfg.Spaces, cfg.Snapshots, cfg.Backups, cfg.Manager = afloat{n}, afloat{n}, afloat{n}, afloat{n}
	cfg.Cluster, cfg.Node, cfg.Topology = n.cfg.Cluster.Name, n.cfg.Cluster.Node, n.fleet
	if n.server, err = server.New(cfg); err == nil {
		n.fleet.server = n.server
		err = n.fleet.join(ctx, n.Addr())
	}
	if err != nil {
		return errors.Join(err, n.fleet.close(ctx))
	}
	return nil
}

// serverConfig returns the configuration of the server of any node.
func (n *Node) serverConfig() server.Config {
	cfg := server.Config{
		Logger: n.cfg.Logger, Resume: n.cfg.Resume,
		MaxConns: n.cfg.Limits.Connections, Client: server.ClientLimits(n.cfg.Limits.Client), Frame: n.cfg.Limits.Frame,
		Budget: n.budget,
	}
	if n.calls != nil {
		cfg.Took = func(op string, d time.Duration) { n.calls.WithLabelValues(op).Observe(d.Seconds()) }
	}
	return cfg
}

// Addr returns the address on which the node serves clients; "" if it serves none.
func (n *Node) Addr() string {
	if n.addr == nil {
		return ""
	}
	return n.addr.String()
}

// Space returns the named space for programs in this process, and makes it if there is none. Its calls need no network
// and have all the promises of space.Space; clients use the same entries. A transaction may be used in all spaces of
// the node. The node owns the space: its Close does nothing, and when the node is closed, or the space is dropped, its
// calls end with space.ErrClosed or space.ErrDropped.
//
// Space returns space.ErrInvalidArgument for an invalid name and for a space of several partitions, space.ErrSpaceFull
// at the limit of spaces (Limits.Spaces), space.ErrUnavailable for a space whose log is incomplete, and
// space.ErrClosed. In a cluster, where the space may be served by another node, it returns space.ErrInvalidArgument:
// use a client of Addr there.
func (n *Node) Space(name string) (space.Space, error) {
	if n.fleet != nil {
		return nil, fmt.Errorf("%w: space %q may be at another node of the cluster: reach it with client.Dial(%q)",
			space.ErrInvalidArgument, name, n.Addr())
	}
	f, err := n.spaces.open(name, 0)
	switch {
	case err != nil:
		return nil, err
	case f.space == nil:
		return nil, fmt.Errorf("%w: space %q has %d partitions: use it as a client", space.ErrInvalidArgument, name,
			len(f.parts))
	}
	return f.space, nil
}

// Close stops the node: it accepts no more calls, ends waiting calls, stores pending changes and lets the mirrors catch
// up. If ctx ends first, Close stops anyway and logs what is unfinished; nothing acknowledged is lost. It returns the
// errors of logs. It is idempotent.
func (n *Node) Close(ctx context.Context) error {
	n.closing.Do(func() { n.closeErr = n.close(ctx) })
	return n.closeErr
}

func (n *Node) close(ctx context.Context) error {
	n.stopping.Store(true)
	n.up.Store(false)
	return errors.Join(n.end(ctx), n.admin.close())
}

// end ends the service of the node.
func (n *Node) end(ctx context.Context) error {
	if n.fleet != nil {
		n.fleet.resign(ctx)
	}
	err := n.server.Shutdown(ctx)
	if ctx.Err() != nil {
		n.cfg.Logger.Warn("clients were cut off", "error", err)
		err = nil
	}
	if served := <-n.served; !errors.Is(served, server.ErrClosed) {
		err = errors.Join(err, served)
	}
	if n.fleet != nil {
		return errors.Join(err, n.fleet.close(ctx))
	}
	return errors.Join(err, n.spaces.close(ctx))
}

// Lost returns a channel that is closed when a node of a cluster must not go on, since its name belongs to another
// folder by now: it serves nothing any more, and the caller closes it. Err tells why. The channel of a node that is
// alone is never closed.
func (n *Node) Lost() <-chan struct{} {
	if n.fleet == nil {
		return nil
	}
	return n.fleet.member.Lost()
}

// Err returns the reason once the channel of Lost is closed, or nil.
func (n *Node) Err() error {
	if n.fleet == nil {
		return nil
	}
	return n.fleet.member.Err()
}

// Names returns the names of the spaces, sorted.
func (n *Node) Names() []string {
	if n.fleet != nil {
		return afloat{n}.Names()
	}
	return slices.Sorted(maps.Keys(n.spaces.known()))
}
