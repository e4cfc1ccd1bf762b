package node

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/txn"
)

// snapshotter takes the snapshots of one space: when its log has grown by the size of a snapshot, when some time has
// passed since the last one, or on request. It also removes from the log what is not needed any more.
type snapshotter struct {
	cfg       *Config
	partition *partition.Partition
	log       *replication.Log
	needed    func() uint64 // position from which the mirror still needs the log
	follows   func() bool   // another node writes the log, and removes what is not needed; nil: never
	logger    *slog.Logger

	mu    sync.Mutex
	last  snapshotStatus // guarded by mu
	since int64          // guarded by mu; bytes appended when the last one began
	clean int64          // owned by run; bytes appended at the last purge
	begun time.Time      // guarded by mu; when the last one began, or this process
}

// snapshotStatus is the part of a node's status about the snapshots of a space.
type snapshotStatus struct {
	Position uint64  `json:"position"` // of the newest; 0: none
	Bytes    int64   `json:"bytes"`
	Taken    string  `json:"taken,omitempty"`
	Seconds  float64 `json:"seconds"` // duration
	Error    string  `json:"error,omitempty"`
}

// Intervals at which the snapshotter checks. It also purges when the log has grown by Config.SnapshotBytes, since
// between two checks a log may exceed its limits.
const (
	lookForGrowth = 100 * time.Millisecond
	lookForWaste  = 10 * time.Second
)

// run takes snapshots until ctx ends.
func (s *snapshotter) run(ctx context.Context) {
	s.mu.Lock()
	s.begun = time.Now()
	if positions, err := s.log.Snapshots(); err == nil && len(positions) > 0 {
		s.last.Position = positions[0]
	}
	s.mu.Unlock()
	growth, waste := time.NewTicker(lookForGrowth), time.NewTicker(lookForWaste)
	defer growth.Stop()
	defer waste.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-waste.C:
			s.purge(ctx)
		case <-growth.C:
			appended := s.log.Stats().Appended
			switch {
			case s.due():
				_, _ = s.take(ctx) // the error is logged, and in the status
			case appended-s.clean >= s.cfg.SnapshotBytes:
				s.purge(ctx)
			default:
				continue
			}
			s.clean = appended
		}
	}
}

// due reports whether it is time for a snapshot.
func (s *snapshotter) due() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	grown := s.log.Stats().Appended - s.since
	if s.last.Error != "" && time.Since(s.begun) < time.Minute {
		return false // the last one failed just now
	}
	return grown >= max(s.cfg.SnapshotBytes, s.last.Bytes) || grown > 0 && time.Since(s.begun) >= s.cfg.SnapshotEvery
}

// take takes a snapshot and returns its position.
func (s *snapshotter) take(ctx context.Context) (uint64, error) {
	m, err := s.partition.ReserveImage(ctx)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	if err := partition.BeginImages([]*partition.Imaging{m}); err != nil {
		return 0, s.failed(ctx, err)
	}
	return s.keep(ctx, m)
}

// keep writes the snapshot of an image, and returns its position.
func (s *snapshotter) keep(ctx context.Context, m *partition.Imaging) (uint64, error) {
	began, appended := time.Now(), s.log.Stats().Appended
	var file *replication.Snapshot
	position, err := m.Take(ctx, func(position uint64, clock record.Clock) (partition.Image, error) {
		var err error
		file, err = s.log.Snapshot(position, clock)
		if err != nil {
			return nil, err
		}
		return file, nil
	})
	if err != nil {
		return 0, s.failed(ctx, err)
	}
	took := time.Since(began)
	s.mu.Lock()
	s.begun, s.since = began, appended
	s.last = snapshotStatus{
		Position: position, Bytes: file.Size(), Taken: began.UTC().Format(time.RFC3339),
		Seconds: took.Seconds(),
	}
	s.mu.Unlock()
	s.logger.Info("snapshot", "position", position, "bytes", file.Size(), "took", took)
	s.purge(ctx)
	return position, nil
}

// failed records and returns the error of a snapshot.
func (s *snapshotter) failed(ctx context.Context, err error) error {
	s.mu.Lock()
	s.begun, s.last.Error = time.Now(), err.Error()
	s.mu.Unlock()
	if ctx.Err() == nil {
		s.logger.Error("no snapshot was taken; the log keeps all", "error", err)
	}
	return err
}

// purge removes from the log what is not needed any more. Registrations whose listeners do not collect their events
// delay that only up to a limit.
func (s *snapshotter) purge(ctx context.Context) {
	if s.follows != nil && s.follows() {
		return
	}
	before := s.needed()
	if s.log.Stats().Bytes <= s.cfg.EventLog {
		before = min(before, s.partition.Needed())
	}
	if err := s.log.Purge(ctx, before); err != nil && ctx.Err() == nil {
		s.logger.Warn("the log could not be purged", "before", before, "error", err)
	}
}

// status returns the snapshotStatus.
func (s *snapshotter) status() *snapshotStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.last
	return &st
}

// Snapshot implements server.Snapshots.
func (n backend) Snapshot(ctx context.Context, at txn.Address) (uint64, error) {
	s, _, err := n.spaces.at(at)
	switch {
	case err != nil:
		return 0, err
	case s == nil:
		return 0, fmt.Errorf("%w: there is no space %q", call.ErrInvalidArgument, at.Space)
	case s.snapshots == nil:
		return 0, errNoLog
	}
	return s.snapshots.take(ctx)
}

var errNoLog = fmt.Errorf("%w: the space has no log, and no snapshots", call.ErrInvalidArgument)
