package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

var errNotRunning = errors.New("postgres: the server does not run")

// cluster is a throwaway database cluster in its own folder.
type cluster struct {
	bin   programs
	dir   string // contains data/, the socket, log and lock
	owner owner
	lock  *os.File // tells later runs that dir is in use

	server *process // nil while it does not run
}

// settings make small transactions cheap and the start fast. Autovacuum stays on: without it the planner's statistics
// would be those of empty tables. Locks are as few as they can be, so that tests need not make thousands of tables to
// find a transaction that locks all of them: it fails at some 1,200.
var settings = []string{
	"listen_addresses=", "fsync=off", "full_page_writes=off", "shared_buffers=128MB", "max_connections=200",
	"max_wal_size=1GB", "log_checkpoints=off", "max_locks_per_transaction=10",
}

// newCluster creates a cluster and starts it. If that fails the folder is removed.
func newCluster(ctx context.Context, bin programs) (*cluster, error) {
	return makeCluster(ctx, bin, bin.initdb, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale",
		"--no-sync")
}

// standby creates a cluster that follows c and starts it.
func (c *cluster) standby(ctx context.Context) (*cluster, error) {
	initdb, err := filepath.EvalSymlinks(c.bin.initdb) // only this program may be linked into PATH
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	program := filepath.Join(filepath.Dir(initdb), "pg_basebackup")
	return makeCluster(ctx, c.bin, program, "--host="+c.dir, "--username=postgres", "--write-recovery-conf",
		"--checkpoint=fast", "--no-sync")
}

// makeCluster creates a cluster with a program that takes the data folder as --pgdata.
func makeCluster(ctx context.Context, bin programs, program string, args ...string) (*cluster, error) {
	base := baseFolder()
	sweep(base)
	dir, err := os.MkdirTemp(base, folderPrefix)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	c := &cluster{bin: bin, dir: dir}
	if err := c.init(ctx, program, args...); err != nil {
		return nil, errors.Join(err, c.remove())
	}
	return c, nil
}

func (c *cluster) init(ctx context.Context, program string, args ...string) (err error) {
	if c.lock, err = lock(c.dir); err != nil {
		return err
	}
	if c.owner, err = unprivileged(); err != nil {
		return err
	}
	if err := c.owner.chown(c.dir); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, append(args, "--pgdata="+c.data())...)
	cmd.Dir, cmd.SysProcAttr = c.dir, c.owner.attributes()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("postgres: %s: %w: %s", filepath.Base(program), err, out)
	}
	return c.start(ctx)
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *cluster) dsn() string {
	return "host=" + c.dir + " user=postgres dbname=postgres sslmode=disable"
}

// start runs the server and returns once it answers; if the server exits instead, the error contains its log.
func (c *cluster) start(ctx context.Context) error {
	log, err := os.Create(filepath.Join(c.dir, "log"))
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	defer log.Close() // the server has its own descriptor
	args := []string{"-D", c.data(), "-k", c.dir}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	cmd := exec.Command(c.bin.postgres, args...)
	cmd.Dir, cmd.SysProcAttr = c.dir, c.owner.attributes()
	cmd.Stdout, cmd.Stderr = log, log
	server, err := launch(cmd)
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	c.server = server
	return c.waitReady(ctx)
}

// waitReady polls until the server answers. Recovery after a kill may take a while; only ctx limits it.
func (c *cluster) waitReady(ctx context.Context) error {
	for {
		err := ping(ctx, c.dsn())
		if err == nil {
			return nil
		}
		select {
		case <-c.server.done:
			c.server = nil
			log, _ := os.ReadFile(filepath.Join(c.dir, "log"))
			return fmt.Errorf("postgres: the server ended while starting: %s", log)
		case <-ctx.Done():
			return fmt.Errorf("postgres: %w: %w", context.Cause(ctx), err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (c *cluster) kill() error {
	if c.server == nil {
		return nil
	}
	err := c.server.killAll()
	c.server = nil
	return err
}

func (c *cluster) pause() error {
	if c.server == nil {
		return errNotRunning
	}
	return c.server.pause()
}

func (c *cluster) resume() error {
	if c.server == nil {
		return errNotRunning
	}
	return c.server.resume()
}

// remove stops the server and deletes the folder.
func (c *cluster) remove() error {
	var err error
	if c.server != nil {
		err = c.server.quit()
		c.server = nil
	}
	err = errors.Join(err, os.RemoveAll(c.dir))
	if c.lock != nil {
		err = errors.Join(err, c.lock.Close())
		c.lock = nil
	}
	return err
}
