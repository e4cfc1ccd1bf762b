package node

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/writeback"
)

// What becomes of a space whose mirror lacks as much of the log as may be kept for it (Config.MirrorFull).
const (
	Rebase = "rebase" // nothing: the log is shortened all the same, and the mirror goes on from a snapshot
	Block  = "block"  // calls that make the log longer wait until the mirror has caught up
	Refuse = "refuse" // they fail with space.ErrLogFull until then
)

// guard keeps the part of a space's log that its mirror lacks below a bound, by having calls wait or fail that would make it longer. It looks after
// every append, so that the bound is exceeded by no more than the calls that are under way; and now and then while it is reached.
type guard struct {
	policy string
	bound  int64
	log    *replication.Log
	logger *slog.Logger

	mu        sync.Mutex
	mirror    *writeback.Writer    // guarded by mu; nil until watch
	partition *partition.Partition // guarded by mu; nil until watch
	since     time.Time            // guarded by mu; when the bound was reached, zero if it is not
}

// guardedLog is a log with a guard.
type guardedLog struct {
	*replication.Log
	guard *guard
}

var _ partition.Log = guardedLog{}

// Append implements partition.Log.
func (l guardedLog) Append(msg []byte) error {
	err := l.Log.Append(msg)
	if err == nil {
		l.guard.look()
	}
	return err
}

// recede is the part of the bound that the mirror must have caught up with before calls go on, lest they stop again at once.
const recede = 8

// lookForRoom is how often a guard looks whether calls may go on.
const lookForRoom = 20 * time.Millisecond

// watch begins to guard: to let the calls of p wait for m, or fail.
func (g *guard) watch(p *partition.Partition, m *writeback.Writer) {
	g.mu.Lock()
	g.partition, g.mirror = p, m
	g.mu.Unlock()
	g.look()
}

// run lets calls go on when there is room again, until ctx ends.
func (g *guard) run(ctx context.Context) {
	t := time.NewTicker(lookForRoom)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			g.look()
		case <-ctx.Done():
			return
		}
	}
}

// look holds the partition, or lets it go on, as the bound demands.
func (g *guard) look() {
	if tell := g.settle(); tell != nil {
		tell()
	}
}

// settle does what look does. It returns what is to be told the log, if there is anything.
func (g *guard) settle() (tell func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mirror == nil {
		return nil
	}
	behind, full := g.behindLocked(), !g.since.IsZero()
	switch {
	case !full && behind >= g.bound:
		g.since = time.Now()
		why := g.why()
		g.partition.Hold(why)
		cause := g.mirror.Stats().LastError
		return func() {
			g.logger.Warn("the log is full of what the mirror lacks", "policy", g.policy, "behind", behind, "bound", g.bound, "mirror_error", cause)
		}
	case full && behind <= g.bound-g.bound/recede:
		took := time.Since(g.since)
		g.since = time.Time{}
		g.partition.Hold(nil)
		return func() {
			g.logger.Warn("the mirror has caught up; changes go on", "policy", g.policy, "behind", behind, "took", took)
		}
	}
	return nil
}

// behindLocked returns how many bytes of the log the mirror lacks. Before the database was first reached that is all there is.
func (g *guard) behindLocked() int64 {
	position, _ := g.mirror.Needs()
	return g.log.Behind(position - 1)
}

// why returns the error of calls that are held.
func (g *guard) why() error {
	if g.policy == Block {
		return fmt.Errorf("%w: the database lacks %d bytes of the log, as many as --mirror-log allows; changes wait until it has caught up",
			engine.ErrHeld, g.bound)
	}
	return fmt.Errorf("%w: the database lacks %d bytes of the log, as many as --mirror-log allows; bring it back, or allow more, and try again",
		engine.ErrLogFull, g.bound)
}

// fullStatus is what a node says about the bound of what a mirror may lack.
type fullStatus struct {
	Policy string `json:"policy"`
	Bound  int64  `json:"bound_bytes"`
	Full   bool   `json:"full"`             // the policy is in force
	Since  string `json:"since,omitempty"`  // when that began
	Reason string `json:"reason,omitempty"` // why calls wait, or are refused
	Calls  uint64 `json:"calls"`            // that were refused, or made to wait, since the server started; those that wait count each time they try
}

// status returns what there is to say about the bound. A nil guard is that of a mirror which is rebased.
func (g *guard) status(cfg *Config, p partition.Stats) *fullStatus {
	st := &fullStatus{Policy: cfg.MirrorFull, Bound: cfg.MirrorLog, Calls: p.Held}
	if g == nil {
		return st
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if st.Full = !g.since.IsZero(); st.Full {
		st.Since, st.Reason = g.since.UTC().Format(time.RFC3339), text(p.Hold)
	}
	return st
}
