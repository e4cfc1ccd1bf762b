//go:build linux

package crash

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/gospaces/gospaces/replication"
)

// allTargets returns the targets and their disturbances.
func (c *campaign) allTargets() []*target {
	targets := c.commonTargets()
	if c.cluster != nil {
		targets = append(targets, c.clusterTargets()...)
	} else {
		targets = append(targets, c.serverTargets()...)
	}
	for i, t := range targets {
		t.rng = rand.New(rand.NewPCG(c.cfg.Seed, uint64(i)+1))
	}
	return targets
}

// serverTargets returns the targets of a single server, besides its clients and the database.
func (c *campaign) serverTargets() []*target {
	targets := []*target{
		{name: "server", rest: 8 * time.Second, disturbs: []disturbance{
			{6, "kill -9", c.killServer(0)},
			{2, "kill -9 and an outage", c.killServer(3 * time.Second)},
			{2, "kill -9 twice, the second time while it starts", c.killStartingServer},
			{2, "kill -9 and damage to the newest snapshot", c.damageSnapshot},
			{1, "stop in good order", c.stopServer},
			{2, "stop and continue", c.pauseServer},
		}},
		{name: "connections", rest: 4 * time.Second, disturbs: []disturbance{
			{1, "cut all", c.cut(1)},
			{1, "cut some", c.cut(2)},
		}},
		{name: "operator", rest: 10 * time.Second, disturbs: []disturbance{
			{2, "snapshot", c.takeSnapshot},
			{1, "backup", c.takeBackup},
		}},
	}
	if c.data != nil {
		targets = append(targets, &target{name: "disk of the log", rest: 20 * time.Second, disturbs: []disturbance{
			{1, "full but for what must remain", c.fill(c.data, 60<<20)},
			{1, "full", c.fill(c.data, 0)},
		}})
	}
	return targets
}

// commonTargets returns the targets of servers and clusters alike.
func (c *campaign) commonTargets() []*target {
	targets := []*target{{name: "clients", rest: 4 * time.Second, disturbs: []disturbance{
		{4, "kill -9", c.killClient},
		{2, "stop and continue", c.pauseClient},
	}}}
	if c.db == nil {
		return targets
	}
	database := &target{name: "database", rest: 10 * time.Second, disturbs: []disturbance{
		{3, "kill -9", c.killDatabase(0)},
		{2, "kill -9 and an outage", c.killDatabase(12 * time.Second)},
		{2, "kill -9 of a session", c.killSession(false)},
		{1, "end of all sessions", c.killSession(true)},
		{2, "stop and continue", c.pauseDatabase},
	}}
	if c.db.disk != nil { // PostgreSQL does not start after a kill -9 while it is full
		full := disturbance{3, "the disk of the tables is full", c.fill(c.db.disk, 0)}
		database.disturbs = append(database.disturbs, full)
	}
	return append(targets, database)
}

// start starts the server again, even if the round ends meanwhile.
func (c *campaign) start(ctx context.Context) error {
	return c.server.start(context.WithoutCancel(ctx))
}

func (c *campaign) killServer(outage time.Duration) func(context.Context, *rand.Rand) error {
	return func(ctx context.Context, rng *rand.Rand) error {
		after := upTo(rng, outage+1)
		if err := c.server.kill(); err != nil {
			return err
		}
		pause(ctx, after)
		return c.start(ctx)
	}
}

func (c *campaign) killStartingServer(ctx context.Context, rng *rand.Rand) error {
	after := upTo(rng, 600*time.Millisecond)
	if err := c.server.kill(); err != nil {
		return err
	}
	if err := c.server.halfStart(ctx, after); err != nil {
		return err
	}
	return c.start(ctx)
}

// damageSnapshot damages one snapshot of each space that has another.
func (c *campaign) damageSnapshot(ctx context.Context, rng *rand.Rand) error {
	at := rng.Float64()
	if err := c.server.kill(); err != nil {
		return err
	}
	all, err := c.server.snapshots()
	if err != nil {
		return err
	}
	for _, files := range all {
		if len(files) < 2 || !whole(files...) {
			continue
		}
		if err := c.damage(files[len(files)-1], at); err != nil {
			return err
		}
	}
	return c.start(ctx)
}

// damage changes a byte of a file.
func (c *campaign) damage(path string, at float64) error {
	b, err := os.ReadFile(path)
	if err != nil || len(b) == 0 {
		return err
	}
	c.damaged[path] = true
	b[int(at*float64(len(b)))] ^= 0x55
	f, err := os.OpenFile(path, os.O_WRONLY, 0) // in place, since there may be no room for another file
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(b)
	return err
}

// whole reports whether snapshots are undamaged.
func whole(files ...string) bool {
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			return false
		}
		_, err = replication.ReadSnapshot(f, nil)
		f.Close()
		if err != nil {
			return false
		}
	}
	return true
}

func (c *campaign) stopServer(ctx context.Context, _ *rand.Rand) error {
	if err := c.server.stop(); err != nil {
		return err
	}
	return c.start(ctx)
}

func (c *campaign) pauseServer(ctx context.Context, rng *rand.Rand) error {
	return pauseChild(ctx, c.server.run, upTo(rng, 4*time.Second))
}

// pauseChild stops a process for a while.
func pauseChild(ctx context.Context, run *child, d time.Duration) error {
	if err := run.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	pause(ctx, d)
	return run.signal(syscall.SIGCONT)
}

func (c *campaign) killDatabase(outage time.Duration) func(context.Context, *rand.Rand) error {
	return func(ctx context.Context, rng *rand.Rand) error { return c.db.restart(ctx, upTo(rng, outage+1)) }
}

func (c *campaign) killSession(kindly bool) func(context.Context, *rand.Rand) error {
	return func(ctx context.Context, _ *rand.Rand) error {
		if err := c.db.revive(ctx); err != nil {
			return err
		}
		return c.db.killBackend(ctx, kindly)
	}
}

func (c *campaign) pauseDatabase(ctx context.Context, rng *rand.Rand) error {
	long := upTo(rng, 5*time.Second)
	if err := c.db.revive(ctx); err != nil {
		return err
	}
	return c.db.pause(ctx, long)
}

func (c *campaign) killClient(_ context.Context, rng *rand.Rand) error {
	return c.clients.replace(rng.IntN(len(c.clients.team)))
}

func (c *campaign) pauseClient(ctx context.Context, rng *rand.Rand) error {
	i, d := rng.IntN(len(c.clients.team)), upTo(rng, 6*time.Second)
	return pauseChild(ctx, c.clients.running[i].child, d)
}

func (c *campaign) cut(every int) func(context.Context, *rand.Rand) error {
	return func(context.Context, *rand.Rand) error {
		c.proxy.cut(every)
		return nil
	}
}

func (c *campaign) fill(d *disk, rest int64) func(context.Context, *rand.Rand) error {
	return func(ctx context.Context, rng *rand.Rand) error {
		long := upTo(rng, 5*time.Second)
		if err := d.fill(rest); err != nil {
			return err
		}
		pause(ctx, long)
		return d.empty()
	}
}

// takeSnapshot requests a snapshot. That may fail: the server may be down, or the disk full.
func (c *campaign) takeSnapshot(ctx context.Context, rng *rand.Rand) error {
	_ = c.command(ctx, "snapshot", "--space", spaceNames[rng.IntN(len(spaceNames))]).Run()
	return nil
}

// command returns a command that connects to the server like a client.
func (c *campaign) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, c.cfg.Program, append(args, "--addr", c.clients.addr)...)
}
