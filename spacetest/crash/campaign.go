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
	"time"
)

// Config configures Run. Program, Client and Dir are required.
type Config struct {
	Program string        // gospaces
	Client  string        // program whose main function calls Client
	Dir     string        // an empty folder for everything that the campaign makes; it stays
	Time    time.Duration // minimum duration of the campaign, which ends with a round
	Round   time.Duration // duration of a round, after which everything comes to rest and is judged; 0: a minute
	Seed    uint64        // determines the order of the disturbances
	Out     io.Writer     // receives progress
}

// Run runs a campaign. It returns an error that describes what is broken, or nil. cfg.Dir then holds further evidence.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if cfg.Round == 0 {
		cfg.Round = time.Minute
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

// campaign is a server, a database and clients, and the state of their judges.
type campaign struct {
	cfg     Config
	report  *Report
	rng     *rand.Rand // for everything but disturbances
	proxy   *proxy
	server  *server
	db      *database
	data    *disk // of the server; nil: it cannot be filled
	clients *clients
	targets []*target
	lanes   []*laneBook
	jobs    *jobBook
	logRead int64           // how much of the server's log has been counted
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
	if c.data, err = newDisk(c.path("data"), dataSize); err != nil && !errors.Is(err, errNoMount) {
		return err
	}
	if c.data == nil {
		fmt.Fprintln(c.cfg.Out, "crash: no disk is filled up: "+err.Error())
	}
	if c.db, err = openDatabase(ctx); err != nil {
		return err
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
	c.clients = &clients{dir: c.cfg.Dir, program: c.cfg.Client, addr: c.proxy.listener.Addr().String(), seed: c.cfg.Seed}
	c.targets = c.allTargets()
	return c.server.start(ctx)
}

func (c *campaign) path(name string) string { return filepath.Join(c.cfg.Dir, name) }

// full reports whether the disk of the server is full.
func (c *campaign) full() bool { return c.data != nil && c.data.filled.Load() }

// run runs rounds until the time is over or something is broken.
func (c *campaign) run(ctx context.Context) error {
	for {
		if err := c.round(ctx); err != nil {
			return fmt.Errorf("round %d: %w", c.report.rounds.Load()+1, err)
		}
		c.report.rounds.Add(1)
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
