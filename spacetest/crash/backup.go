//go:build linux

package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
)

// takeBackup makes a backup while clients work, which may fail. A server started on the backup must hold what the
// spaces held at one moment.
func (c *campaign) takeBackup(ctx context.Context, _ *rand.Rand) error {
	file, restored := c.path("running.backup"), c.path("running")
	if err := c.command(ctx, "backup", "--force", file).Run(); err != nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	if out, err := exec.CommandContext(ctx, c.cfg.Program, "verify", file).CombinedOutput(); err != nil {
		return fmt.Errorf("verify: %w: %s", err, out)
	}
	if out, err := exec.CommandContext(ctx, c.cfg.Program, "restore", file, "--data",
		restored).CombinedOutput(); err != nil {
		return fmt.Errorf("restore: %w: %s", err, out)
	}
	if err := c.judgeRestored(ctx, restored); err != nil {
		return fmt.Errorf("restored in %s: %w", restored, err)
	}
	return os.RemoveAll(restored)
}

// judgeRestored checks what a server makes of a folder restored from a backup of the running one: each job waits or is
// done, in one of the spaces.
func (c *campaign) judgeRestored(ctx context.Context, dir string) (err error) {
	log, err := os.Create(dir + ".log")
	if err != nil {
		return err
	}
	defer log.Close()
	s := &server{program: c.cfg.Program, data: dir, log: log, proxy: new(proxy), full: func() bool { return false }}
	if err := s.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.kill()) }()
	cl, err := dial(ctx, s.addr, nil)
	if err != nil {
		return err
	}
	defer cl.Close()
	found, err := readSpaces(ctx, cl)
	if err != nil {
		return err
	}
	return judgeMoment(found.jobs, found.dones)
}
