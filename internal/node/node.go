// Package node assembles a server: the logs of its folder, a partition for each space, their mirrors, and the TCP server before them.
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
	"time"

	"github.com/gospaces/gospaces/internal/budget"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/txn"
	"github.com/gospaces/gospaces/writeback"
)

// The levels of durability: what an acknowledged change survives.
const (
	Memory = "memory" // nothing
	Logged = "logged" // the end of the process, kill -9 included
	Synced = "synced" // loss of power
)

// Config configures a Node. Listen and Data are required; what else is zero has a good default.
type Config struct {
	Listen     string // address; port 0 takes any free one
	Data       string // folder of the logs; not used with Memory
	Durability string // Memory, Logged or Synced; "": Logged
	Postgres   string // DSN of the database that mirrors the spaces; "": none
	Mirror     writeback.Modes
	MirrorLog  int64         // bytes of a log that may be kept for a database that is away; 0: 1 GiB
	MirrorFull string        // what happens when there are as many: Rebase, Block or Refuse; "": Rebase
	Conns      int           // most connections to the database, of all mirrors together; 0: writeback.DefaultConns
	Lanes      int           // most connections that a mirror writes over; 0: writeback.DefaultLanes()
	MaxEntry   int           // bytes of one entry; 0: 1 MiB
	MaxCall    int           // bytes of all entries of one write; 0: 8 MiB
	MaxLog     int64         // bytes of one space's log; 0: as the disk allows
	MaxLease   time.Duration // what leases of entries are cut to; 0: no bound
	MaxListen  time.Duration // what leases of registrations are cut to; 0: no bound
	MaxTxn     time.Duration // what leases of transactions are cut to; 0: no bound
	// A snapshot is taken when the log has grown by SnapshotBytes, or by the size of the last one if that is more; or after SnapshotEvery.
	SnapshotBytes int64         // 0: 64 MiB
	SnapshotEvery time.Duration // 0: an hour
	EventLog      int64         // bytes of a log that may be kept for the events of registrations which do not collect them; 0: 1 GiB

	AcceptLoss bool // go on with what is left of logs that are lost or damaged

	Limits Limits

	// Resume is how long a session, and after a restart the transactions of a client, wait for the client to come
	// back; 0: 30 s.
	Resume time.Duration
	Logger *slog.Logger // nil: silent

	Version string // of the program, for the log

	wrapLog func(space string, l partition.Log) partition.Log // in tests; nil: the log as it is
}

// Check returns what is wrong with the settings, as Open would; it touches neither folder nor address.
func (c Config) Check() error { return c.setDefaults() }

func (c *Config) setDefaults() error {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Durability == "" {
		c.Durability = Logged
	}
	c.MirrorFull = cmp.Or(c.MirrorFull, Rebase)
	c.Limits.setDefaults()
	c.SnapshotBytes = cmp.Or(c.SnapshotBytes, 64<<20)
	c.SnapshotEvery = cmp.Or(c.SnapshotEvery, time.Hour)
	c.EventLog, c.MirrorLog = cmp.Or(c.EventLog, 1<<30), cmp.Or(c.MirrorLog, 1<<30)
	switch {
	case c.Durability != Memory && c.Durability != Logged && c.Durability != Synced:
		return fmt.Errorf("durability is %q; it is memory, logged or synced", c.Durability)
	case c.MirrorFull != Rebase && c.MirrorFull != Block && c.MirrorFull != Refuse:
		return fmt.Errorf("what happens when the log is full for the mirror is %q; it is rebase, block or refuse", c.MirrorFull)
	case c.Conns < 0 || c.Conns > writeback.MaxConns:
		return fmt.Errorf("the mirrors are to have %d connections to the database; they may have %d at most, or 0 for %d", c.Conns, writeback.MaxConns, writeback.DefaultConns)
	case c.Lanes < 0 || c.Lanes > writeback.MaxLanes:
		return fmt.Errorf("the mirror is to write over %d connections; it may be %d at most, or 0 for as many as suit the machine", c.Lanes, writeback.MaxLanes)
	case c.MaxLease < 0 || c.MaxListen < 0 || c.MaxTxn < 0:
		return errors.New("the longest lease is negative")
	case c.Limits.check() != nil:
		return c.Limits.check()
	case c.SnapshotBytes < 0 || c.SnapshotEvery < 0 || c.EventLog < 0 || c.MirrorLog < 0:
		return errors.New("the bounds of logs and snapshots are negative")
	case c.Durability == Memory && c.Postgres != "":
		return errors.New("a mirror reads the log: a database needs durability logged or synced")
	case c.Durability != Memory && c.Data == "":
		return errors.New("no folder for the log is given")
	case c.MaxEntry > maxCall || c.MaxCall > maxCall:
		return fmt.Errorf("entries and calls have at most %d bytes: one log message must hold them", maxCall)
	}
	return nil
}

// maxCall leaves room for the ids and lengths of many small entries in one log message.
const maxCall = replication.MaxMessage / 2

// Node is a running server.
type Node struct {
	cfg     Config
	budget  *budget.Budget
	spaces  *spaces
	backups backups
	server  *server.Server
	addr    net.Addr
	started time.Time
	served  chan error // the result of Serve
}

// Open starts a node: it reads the state of the folder, which takes as long as there is to read, and serves. Clients
// that connect meanwhile are told how far it is. It returns ctx's error if that ends first, and otherwise what is wrong
// with cfg, the address, the folder or a log. A space whose log lacks what it should hold is not served, if there is
// another one: its calls fail with call.ErrUnavailable, the log and the status tell why.
func Open(ctx context.Context, cfg Config) (*Node, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, budget: budget.New(cfg.Limits.Memory), addr: listener.Addr(), started: time.Now(), served: make(chan error, 1)}
	up := &startup{logger: n.cfg.Logger}
	answering := server.AnswerStarting(listener.(*net.TCPListener), up.report)
	err = n.start(ctx, up)
	if err = errors.Join(err, answering.Stop()); err != nil {
		listener.Close()
		return nil, err
	}
	n.announce()
	go func() { n.served <- n.server.Serve(listener) }()
	return n, nil
}

func (n *Node) start(ctx context.Context, up *startup) error {
	var err error
	if n.spaces, err = openSpaces(ctx, &n.cfg, n.budget, up); err != nil {
		return err
	}
	n.server, err = server.New(server.Config{
		Spaces: n, Spans: n.spaces.spans,
		Snapshots: n, Backups: n, Logger: n.cfg.Logger, Resume: n.cfg.Resume,
		MaxConns: n.cfg.Limits.Connections, Client: n.cfg.Limits.Client, Frame: n.cfg.Limits.Frame, Budget: n.budget,
	})
	if err != nil {
		return errors.Join(err, n.spaces.close(ctx))
	}
	return nil
}

// Addr returns the address on which the node serves.
func (n *Node) Addr() string { return n.addr.String() }

// Close stops the node: it takes no more calls, ends those that wait, stores what is pending and lets the mirrors catch up. When ctx ends
// before that is done it stops all the same, and logs what was left undone; nothing acknowledged is lost by it. It returns what is wrong with a log.
func (n *Node) Close(ctx context.Context) error {
	err := n.server.Shutdown(ctx)
	if ctx.Err() != nil {
		n.cfg.Logger.Warn("clients were cut off", "error", err)
		err = nil
	}
	if served := <-n.served; !errors.Is(served, server.ErrClosed) {
		err = errors.Join(err, served)
	}
	return errors.Join(err, n.spaces.close(ctx))
}

// Lookup implements server.Spaces.
func (n *Node) Lookup(at txn.Address) (*partition.Partition, string, error) {
	s, err := n.spaces.at(at)
	if s == nil || err != nil {
		return nil, "", err
	}
	return s.partition, s.incarnation, nil
}

// Create implements server.Spaces.
func (n *Node) Create(name string) error {
	_, err := n.spaces.open(name)
	return err
}

// Names implements server.Spaces.
func (n *Node) Names() []string {
	return slices.Sorted(maps.Keys(n.spaces.known()))
}
