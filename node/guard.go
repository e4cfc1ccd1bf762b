package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/writeback"
)

// Policies for a space whose mirror lacks as much of the log as may be kept for it (Config.MirrorFull).
const (
	Rebase = "rebase" // no limit on calls: the log is truncated, and the mirror continues from a snapshot
	Block  = "block"  // calls that would grow the log wait until the mirror has caught up
	Refuse = "refuse" // calls that would grow the log fail with space.ErrLogFull until then
)

// guard keeps a log within its limits: the room on its disk, and the part that its mirror lacks. It throttles the
// partition: calls that would grow the log are refused, or wait. It checks after every append, so only the calls in
// progress can exceed a limit; and periodically while calls are throttled.
type guard struct {
	cfg       *Config
	log       *replication.Log
	logger    *slog.Logger
	throttled chan struct{} // capacity 1: calls are throttled

	mu        sync.Mutex
	partition *partition.Partition // guarded by mu; nil until watch
	mirror    *writeback.Writer    // guarded by mu; nil if the log does not wait for a mirror
	lag       level                // guarded by mu; the part of the log that the mirror lacks
	disk      level                // guarded by mu; the room on the disk
}

func newGuard(cfg *Config, log *replication.Log, logger *slog.Logger) *guard {
	return &guard{cfg: cfg, log: log, logger: logger, throttled: make(chan struct{}, 1)}
}

// level is a gauge with hysteresis: it trips at high and resets at low, so that calls do not flap at the limit.
type level struct {
	since time.Time // zero: not tripped
}

func (l *level) high() bool { return !l.since.IsZero() }

// move updates the gauge, and reports whether it tripped or reset.
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
	if took := l.guard.cfg.took; took != nil {
		began := time.Now()
		defer func() { took.Observe(time.Since(began).Seconds()) }()
	}
	err := l.Log.Append(msg)
	if err == nil {
		l.guard.look()
	}
	return err
}

const (
	// recede is the fraction of Config.MirrorLog (one in recede) that the mirror must have caught up before calls
	// continue.
	recede = 8
	// Changes are refused while less than scarce bytes can be appended. If the disk filled up completely, the log would
	// refuse all appends, and all calls would fail until the state was rebuilt from the log. Changes are accepted again
	// when there are ample bytes.
	scarce, ample = 16 << 20, 32 << 20
	// lookForRoom is the interval at which a guard checks whether throttled calls may continue.
	lookForRoom = 20 * time.Millisecond
)

// watch begins to guard p, whose calls wait for, or are refused because of, the lag of m; nil: no mirror.
func (g *guard) watch(p *partition.Partition, m *writeback.Writer) {
	g.mu.Lock()
	g.partition, g.mirror = p, m
	g.mu.Unlock()
	g.look()
}

// run lifts the throttle when there is room again, until ctx ends.
func (g *guard) run(ctx context.Context) {
	t := time.NewTicker(lookForRoom)
	defer t.Stop()
	for {
		select {
		case <-g.throttled:
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

// look throttles the partition, or lifts the throttle, and reports whether it is throttled.
func (g *guard) look() bool {
	throttled, tell := g.settle()
	for _, t := range tell {
		t()
	}
	return throttled
}

// settle is look, except that the caller runs tell, which writes to the program's log.
func (g *guard) settle() (throttled bool, tell []func()) {
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
		g.partition.Throttle(g.whyLocked())
	}
	if throttled = g.disk.high() || g.lag.high(); throttled {
		select {
		case g.throttled <- struct{}{}:
		default:
		}
	}
	return throttled, tell
}

// errShort is why another replica of a cluster had better lead.
var errShort = errors.New("the disk of its data folder is nearly full: it would refuse all changes")

// fit returns errShort while the partition is throttled by the disk, or would be if it led.
func (g *guard) fit() error {
	g.look()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.disk.high() {
		return errShort
	}
	return nil
}

func (g *guard) lookAtMirrorLocked() []func() {
	position, _ := g.mirror.Needs() // before the first connection to the database it lacks everything
	behind, bound := g.log.Behind(position-1), g.cfg.MirrorLog
	if !g.lag.move(behind >= bound, behind <= bound-bound/recede) {
		return nil
	}
	full, cause := g.lag.high(), g.mirror.Stats().LastError
	return []func(){func() {
		if full {
			g.logger.Warn("the log is full of what the mirror lacks", "policy", g.cfg.MirrorFull, "behind", behind, "bound",
				bound, "mirror_error", cause)
		} else {
			g.logger.Warn("the mirror has caught up; changes go on", "policy", g.cfg.MirrorFull, "behind", behind)
		}
	}}
}

// whyLocked returns the error of throttled calls, or nil.
func (g *guard) whyLocked() error {
	const lacks = "the database lacks %d bytes of the log, as many as --mirror-log allows; "
	switch {
	case g.disk.high():
		return fmt.Errorf("%w: the disk of the server's data folder is nearly full; make room, and try again",
			call.ErrLogFull)
	case !g.lag.high():
		return nil
	case g.cfg.MirrorFull == Block:
		return fmt.Errorf("%w: "+lacks+"changes wait until it has caught up", call.ErrThrottled, g.cfg.MirrorLog)
	}
	return fmt.Errorf("%w: "+lacks+"bring it back, or allow more, and try again", call.ErrLogFull, g.cfg.MirrorLog)
}

// fullStatus is the part of a node's status about the limit of a mirror's lag.
type fullStatus struct {
	Policy string `json:"policy"`
	Bound  int64  `json:"bound_bytes"`
	Full   bool   `json:"full"`            // the policy is in force
	Since  string `json:"since,omitempty"` // when that began
}

// status returns the fullStatus.
func (g *guard) status() *fullStatus {
	g.mu.Lock()
	defer g.mu.Unlock()
	st := &fullStatus{Policy: g.cfg.MirrorFull, Bound: g.cfg.MirrorLog, Full: g.lag.high()}
	if st.Full {
		st.Since = g.lag.since.UTC().Format(time.RFC3339)
	}
	return st
}
