package node

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/call"
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

// guard keeps a log from getting too large: for its disk, and for what its mirror lacks of it. It has the partition refuse calls that would make it
// longer, or let them wait. It looks after every append, so that a bound is exceeded by no more than the calls that are under way; and now and
// then while calls are held.
type guard struct {
	cfg    *Config
	log    *replication.Log
	logger *slog.Logger
	held   chan struct{} // capacity 1: calls are held

	mu        sync.Mutex
	partition *partition.Partition // guarded by mu; nil until watch
	mirror    *writeback.Writer    // guarded by mu; nil if it is not waited for
	lag       level                // guarded by mu; of what the mirror lacks
	disk      level                // guarded by mu; of what the disk holds
}

func newGuard(cfg *Config, log *replication.Log, logger *slog.Logger) *guard {
	return &guard{cfg: cfg, log: log, logger: logger, held: make(chan struct{}, 1)}
}

// level is something that is too high from when it has reached a bound until it has sunk below another one, lest calls go on only to stop again at once.
type level struct {
	since time.Time // zero: it is not too high
}

func (l *level) high() bool { return !l.since.IsZero() }

// move notes how high the level is, and reports whether that made a difference.
func (l *level) move(high, low bool) bool {
	switch {
	case high && !l.high():
		l.since = time.Now()
	case low && l.high():
		l.since = time.Time{}
	default:
		return false
	}
	return true
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

const (
	// recede is the part of Config.MirrorLog that the mirror must have caught up with before calls go on.
	recede = 8
	// Changes are refused while less can be appended than scarce, before the disk is so full that the log refuses all appends, and then
	// everything is refused until the state was read from the log again. They go on when there is ample room.
	scarce, ample = 16 << 20, 32 << 20
	// lookForRoom is how often a guard looks whether calls that are held may go on.
	lookForRoom = 20 * time.Millisecond
)

// watch begins to guard p, whose calls are to wait for m, or to be refused for its sake; nil: none.
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
		case <-g.held:
		case <-ctx.Done():
			return
		}
		for g.look() {
			select {
			case <-t.C:
			case <-ctx.Done():
				return
			}
		}
	}
}

// look holds the partition, or lets it go on, as the bounds demand, and reports whether it is held.
func (g *guard) look() bool {
	held, tell := g.settle()
	for _, t := range tell {
		t()
	}
	return held
}

// settle does what look does. It returns what is to be told the log, too.
func (g *guard) settle() (held bool, tell []func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.partition == nil {
		return false, nil
	}
	if g.mirror != nil {
		tell = g.lookAtMirrorLocked()
	}
	if room := g.log.Room(ample); g.disk.move(room < scarce, room >= ample) {
		full := g.disk.high()
		tell = append(tell, func() {
			g.logger.Warn("the disk of the log is full, or is no longer", "changes_refused", full, "room", room)
		})
	}
	if len(tell) > 0 {
		g.partition.Hold(g.whyLocked())
	}
	if held = g.disk.high() || g.lag.high(); held {
		select {
		case g.held <- struct{}{}:
		default:
		}
	}
	return held, tell
}

func (g *guard) lookAtMirrorLocked() []func() {
	position, _ := g.mirror.Needs() // before the database was first reached it lacks all there is
	behind, bound := g.log.Behind(position-1), g.cfg.MirrorLog
	if !g.lag.move(behind >= bound, behind <= bound-bound/recede) {
		return nil
	}
	full, cause := g.lag.high(), g.mirror.Stats().LastError
	return []func(){func() {
		if full {
			g.logger.Warn("the log is full of what the mirror lacks", "policy", g.cfg.MirrorFull, "behind", behind, "bound", bound, "mirror_error", cause)
		} else {
			g.logger.Warn("the mirror has caught up; changes go on", "policy", g.cfg.MirrorFull, "behind", behind)
		}
	}}
}

// whyLocked returns the error of calls that are held, or nil.
func (g *guard) whyLocked() error {
	const lacks = "the database lacks %d bytes of the log, as many as --mirror-log allows; "
	switch {
	case g.disk.high():
		return fmt.Errorf("%w: the disk of the server's data folder is nearly full; make room, and try again",
			call.ErrLogFull)
	case !g.lag.high():
		return nil
	case g.cfg.MirrorFull == Block:
		return fmt.Errorf("%w: "+lacks+"changes wait until it has caught up", call.ErrHeld, g.cfg.MirrorLog)
	}
	return fmt.Errorf("%w: "+lacks+"bring it back, or allow more, and try again", call.ErrLogFull, g.cfg.MirrorLog)
}

// fullStatus is what a node says about the bound of what a mirror may lack.
type fullStatus struct {
	Policy string `json:"policy"`
	Bound  int64  `json:"bound_bytes"`
	Full   bool   `json:"full"`            // the policy is in force
	Since  string `json:"since,omitempty"` // when that began
}

// status returns what there is to say about the bound.
func (g *guard) status() *fullStatus {
	g.mu.Lock()
	defer g.mu.Unlock()
	st := &fullStatus{Policy: g.cfg.MirrorFull, Bound: g.cfg.MirrorLog, Full: g.lag.high()}
	if st.Full {
		st.Since = g.lag.since.UTC().Format(time.RFC3339)
	}
	return st
}
