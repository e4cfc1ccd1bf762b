//go:build linux

package crash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gospaces/gospaces/spacetest/history"
)

// Config configures Run. Program, Client and Dir are required.
type Config struct {
	Program string        // gospaces
	Client  string        // program whose main function calls Client
	Dir     string        // an empty folder for everything that the campaign makes; it stays
	Time    time.Duration // minimum duration of the campaign, which ends with a round
	// duration of a round, after which everything comes to rest and is judged; 0: a minute, or half of one for a cluster
	Round time.Duration
	Seed  uint64    // determines the order of the disturbances
	Nodes int       // of a cluster; 0: one server
	Parts int       // partitions of the second space of a cluster; 0: one. If there are several there is no database
	Out   io.Writer // receives progress
}

// Run runs a campaign. It returns an error that describes what is broken, or nil. cfg.Dir then holds further evidence.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if cfg.Round == 0 {
		cfg.Round = time.Minute
		if cfg.Nodes > 0 {
			cfg.Round = 30 * time.Second
		}
	}
	c := newCampaign(cfg)
	err := c.open(ctx)
	if err == nil {
		stop := c.report.show(cfg.Out)
		err = c.run(ctx)
		stop()
	}
	err = errors.Join(err, c.close(err != nil))
	fmt.Fprintln(cfg.Out, c.report)
	return c.report, err
}

// campaign is a server, a database and clients, with the state of their judges.
type campaign struct {
	cfg     Config
	report  *Report
	rng     *rand.Rand // for everything but disturbances
	proxy   *proxy
	server  *server   // nil: there is a cluster
	cluster *cluster  // nil: there is one server
	db      *database // nil: there is none
	data    *disk     // of the server; nil: it cannot be filled
	clients *clients
	targets []*target
	lanes   []*laneBook
	jobs    *jobBook
	damaged map[string]bool // snapshots damaged by the campaign
}

func newCampaign(cfg Config) *campaign {
	c := &campaign{
		cfg: cfg, report: newReport(cfg), rng: rand.New(rand.NewPCG(cfg.Seed, 0)), jobs: newJobBook(),
		damaged: map[string]bool{},
	}
	for range lanes {
		c.lanes = append(c.lanes, &laneBook{})
	}
	return c
}

// Sizes of the disks, in megabytes. The server wants 64 of them to remain free.
const (
	dataSize   = 400
	tablesSize = 200
)

// open starts everything except the clients.
func (c *campaign) open(ctx context.Context) (err error) {
	if c.cfg.Parts < 2 {
		if c.db, err = openDatabase(ctx); err != nil {
			return err
		}
	}
	if c.cfg.Nodes > 0 {
		err = c.openCluster(ctx)
	} else {
		err = c.openServer(ctx)
	}
	if err != nil {
		return err
	}
	c.clients = &clients{dir: c.cfg.Dir, program: c.cfg.Client, addr: c.addr(), team: team, seed: c.cfg.Seed}
	if c.cluster != nil {
		c.clients.team, c.clients.late = append(slices.Clone(team), readers), true
		c.clients.parts = c.cfg.Parts
	}
	c.targets = c.allTargets()
	return nil
}

func (c *campaign) openServer(ctx context.Context) (err error) {
	if c.data, err = newDisk(c.path("data"), dataSize); err != nil && !errors.Is(err, errNoMount) {
		return err
	}
	if c.data == nil {
		fmt.Fprintln(c.cfg.Out, "crash: no disk is filled up: "+err.Error())
	}
	if c.proxy, err = newProxy(); err != nil {
		return err
	}
	log, err := os.Create(c.path("server.log"))
	if err != nil {
		return err
	}
	c.server = &server{
		program: c.cfg.Program, data: filepath.Join(c.path("data"), "gospaces"), log: log, proxy: c.proxy,
		full: c.full, args: []string{
			"--postgres", c.db.dsn, "--mirror", "job=append", "--snapshot-bytes", "524288", "--snapshot-every", "20s",
			"--mirror-log", "3000000",
		},
	}
	return c.server.start(ctx)
}

// addr returns the address for clients: of the proxy before the server, or of all nodes.
func (c *campaign) addr() string {
	if c.cluster != nil {
		return c.cluster.addrs()
	}
	return c.proxy.listener.Addr().String()
}

// direct returns the address for what must not be disturbed.
func (c *campaign) direct() string {
	if c.cluster != nil {
		return c.cluster.addrs()
	}
	return c.server.addr
}

// servers returns the server, or all nodes.
func (c *campaign) servers() []*server {
	if c.cluster != nil {
		return c.cluster.nodes
	}
	return []*server{c.server}
}

// outages returns the times since the last call at which nothing was up.
func (c *campaign) outages() []history.Op {
	if c.cluster != nil {
		return c.cluster.outages()
	}
	return c.server.outages()
}

func (c *campaign) path(name string) string { return filepath.Join(c.cfg.Dir, name) }

// full reports whether the disk of the server is full.
func (c *campaign) full() bool { return c.data != nil && c.data.filled.Load() }

// run runs rounds until the time is over or something is broken.
func (c *campaign) run(ctx context.Context) error {
	for {
		disturbances, calls := c.report.sum(), c.report.calls.Load()
		if err := c.round(ctx); err != nil {
			c.report.findings.Add(1)
			return fmt.Errorf("round %d: %w", c.report.rounds.Load()+1, err)
		}
		c.report.rounds.Add(1)
		fmt.Fprintln(c.cfg.Out, c.report.round(c.report.sum()-disturbances, c.report.calls.Load()-calls))
		if time.Since(c.report.began) >= c.cfg.Time {
			return nil
		}
	}
}

// round lets the clients work under disturbances, and judges the result.
func (c *campaign) round(ctx context.Context) error {
	if err := c.clients.start(); err != nil {
		return err
	}
	if err := c.disturb(ctx); err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return c.rest(ctx)
}

// disturb disturbs all targets for the duration of a round. At the end everything is up again.
func (c *campaign) disturb(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Round)
	defer cancel()
	errs := make(chan error, len(c.targets))
	for _, t := range c.targets {
		go func() {
			err := t.disturb(ctx, c.report)
			if err != nil {
				cancel()
			}
			errs <- err
		}()
	}
	var all error
	for range c.targets {
		all = errors.Join(all, <-errs)
	}
	return all
}

// close stops everything. If keep is set, the content of mounted disks is copied first.
func (c *campaign) close(keep bool) error {
	var errs []error
	if c.clients != nil {
		c.clients.killAll()
	}
	if c.cluster != nil {
		errs = append(errs, c.cluster.close(keep))
	}
	if c.server != nil && c.server.run != nil {
		_ = c.server.run.kill()
		errs = append(errs, c.server.log.Close())
	}
	if c.proxy != nil {
		c.proxy.close()
	}
	if c.db != nil {
		errs = append(errs, c.db.close())
	}
	if c.data != nil {
		if keep {
			errs = append(errs, c.data.empty(), os.CopyFS(c.path("data-kept"), os.DirFS(c.data.dir)))
		}
		errs = append(errs, c.data.unmount())
	}
	return errors.Join(errs...)
}
