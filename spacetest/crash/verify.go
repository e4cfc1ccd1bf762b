//go:build linux

package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/gospaces/gospaces/replication"
)

// verified is the output of `gospaces verify` for a space.
type verified struct {
	Space   string
	Entries map[string]int
}

// verify runs the program on a backup or a folder, and compares its output.
func (r *resting) verify(ctx context.Context, args ...string) error {
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, r.cfg.Program, append([]string{"verify"}, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && !r.isDamage(stderr.String()) {
		return fmt.Errorf("verify: %w: %s%s", err, out, &stderr)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for dec.More() {
		var v verified
		if err := dec.Decode(&v); err != nil {
			return err
		}
		want := r.there.counts[slices.Index(spaceNames[:], v.Space)]
		for kind, n := range v.Entries {
			if want[kind] != n {
				return fmt.Errorf("verify finds %d entries of kind %s in space %s; there are %d", n, kind, v.Space, want[kind])
			}
		}
	}
	return nil
}

// isDamage reports whether the output of verify complains only of snapshots that the campaign has damaged.
func (r *resting) isDamage(complaint string) bool {
	ours := 0
	for path := range r.damaged {
		ours += strings.Count(complaint, path+": "+replication.ErrBadSnapshot.Error())
	}
	return ours > 0 && ours == strings.Count(complaint, replication.ErrBadSnapshot.Error())
}

// judgeBackup makes a backup, which takes a snapshot of each space, and verifies it; then it restores the backup to a
// folder, and verifies that.
func (r *resting) judgeBackup(ctx context.Context) error {
	file, restored := r.path("resting.backup"), r.path("restored")
	if out, err := r.command(ctx, "backup", "--force", file).CombinedOutput(); err != nil {
		return fmt.Errorf("backup: %w: %s", err, out)
	}
	if err := r.verify(ctx, file); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, r.cfg.Program, "restore", file, "--data",
		restored).CombinedOutput(); err != nil {
		return fmt.Errorf("restore: %w: %s", err, out)
	}
	if err := r.verify(ctx, "--data", restored); err != nil {
		return fmt.Errorf("restored: %w", err)
	}
	return os.RemoveAll(restored)
}

// judgeFolder stops the server and verifies its folder.
func (r *resting) judgeFolder(ctx context.Context) error {
	end := r.server.stop
	if r.rng.IntN(2) == 0 {
		end = r.server.kill
	}
	if err := end(); err != nil {
		return err
	}
	if err := r.verify(ctx, "--data", r.server.data); err != nil {
		return err
	}
	return r.judgeState(ctx)
}

func (r *resting) judgeRestart(ctx context.Context) error {
	if err := r.start(ctx); err != nil {
		return err
	}
	if err := r.connect(ctx); err != nil {
		return err
	}
	after, err := takeSurvey(ctx, r.client)
	if err != nil {
		return err
	}
	if err := judgeSame(r.there.print, after.print); err != nil {
		return err
	}
	return r.countLog()
}
