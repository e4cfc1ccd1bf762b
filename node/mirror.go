package node

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/writeback"
)

// mirrored is the log of a space with its snapshots, as the mirror reads them.
type mirrored struct {
	*replication.Log
	snapshots *snapshotter
}

var (
	_ writeback.Imager = mirrored{}
	_ writeback.Sizer  = mirrored{}
	_ writeback.Heir   = mirrored{}
)

// First implements writeback.Imager.
func (m mirrored) First() uint64 { return m.Stats().First }

// Origin implements writeback.Heir.
func (m mirrored) Origin() (writeback.Origin, bool) {
	o, ok := m.Log.Origin()
	return writeback.Origin(o), ok
}

// Image implements writeback.Imager with the newest complete snapshot. If there is none, it takes one.
func (m mirrored) Image(ctx context.Context, fn func(record.Group) error) error {
	positions, err := m.Snapshots()
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range positions {
		if err := m.readSnapshot(p, nil); err != nil { // checked before any of it is used
			errs = append(errs, err)
			continue
		}
		return m.read(ctx, p, fn)
	}
	position, err := m.snapshots.take(ctx)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	return m.read(ctx, position, fn)
}

func (m mirrored) read(ctx context.Context, position uint64, fn func(record.Group) error) error {
	return m.readSnapshot(position, func(records []byte) error {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		return fn(record.Group{Position: position, Records: records})
	})
}

func (m mirrored) readSnapshot(position uint64, fn func(records []byte) error) error {
	f, err := m.OpenSnapshot(position)
	if err != nil {
		return err
	}
	defer f.Close()
	h, err := replication.ReadSnapshot(f, fn)
	if err == nil && (h.Incarnation != m.Incarnation() || h.Position != position) {
		err = fmt.Errorf("%w: it is of log %s, position %d", replication.ErrBadSnapshot, h.Incarnation, h.Position)
	}
	return err
}

func (ss *spaces) startMirror(s *hosted, partitions int) error {
	if ss.pool == nil {
		return nil
	}
	var err error
	logger := ss.cfg.Logger.With("space", s.at.String())
	s.mirror, err = writeback.New(mirrored{s.log, s.snapshots}, writeback.Config{
		Pool: ss.pool, Space: s.at.Space, Partition: int(s.at.Partition), Partitions: partitions, Modes: ss.cfg.Mirror,
		Lanes: ss.cfg.Lanes, Logger: logger,
	})
	if err != nil {
		return err
	}
	s.running.Go(func() {
		if err := s.mirror.Run(s.ctx); err != nil {
			logger.Error("the mirror has stopped; the space goes on", "error", err)
		}
	})
	return nil
}

// writer returns the present writer of the mirror, or nil.
func (s *hosted) writer() *writeback.Writer {
	s.mirrorMu.Lock()
	defer s.mirrorMu.Unlock()
	return s.mirror
}

// mirrorNeeds returns the position from which the mirror still needs the log. If the log is larger than it may be for a
// database that is away, the mirror needs nothing and continues from a snapshot. Unless the policy is Rebase, the guard
// prevents that.
func (s *hosted) mirrorNeeds(cfg *Config) uint64 {
	mirror := s.writer()
	if mirror == nil {
		return math.MaxUint64
	}
	position, filling := mirror.Needs()
	if cfg.MirrorFull == Rebase && !filling && s.log.Stats().Bytes > cfg.MirrorLog {
		return math.MaxUint64
	}
	return position
}

// mirrorStatus is the part of a node's status about the mirror of a space.
type mirrorStatus struct {
	Connected   bool     `json:"connected"`
	Position    uint64   `json:"position"`
	LagGroups   uint64   `json:"lag_groups"`
	LagRecords  uint64   `json:"lag_records"`
	LagBytes    int64    `json:"lag_bytes"`
	LagSeconds  float64  `json:"lag_seconds"`
	Rows        uint64   `json:"rows_written"`
	Deleted     uint64   `json:"rows_deleted"`
	Refused     uint64   `json:"rows_refused"`
	Coalesced   uint64   `json:"coalesced"`
	Lanes       int      `json:"lanes"` // number of connections used by the last batch
	DeadLetters int      `json:"dead_letters"`
	Incomplete  []string `json:"incomplete_tables,omitempty"`
	Waiting     bool     `json:"waiting_for_connection,omitempty"`
	Blocked     *blocker `json:"blocked_by,omitempty"`
	Failures    uint64   `json:"failures"`
	LastError   string   `json:"last_error,omitempty"`
	Stopped     bool     `json:"stopped,omitempty"` // permanently, because of the last error
}

// blocker is the database session that a mirror waits for.
type blocker struct {
	PID         int     `json:"pid"`
	User        string  `json:"user"`
	Application string  `json:"application"`
	State       string  `json:"state"`
	Query       string  `json:"query"`
	Seconds     float64 `json:"seconds"` // age of its transaction
}

func newBlocker(b *writeback.Blocker) *blocker {
	if b == nil {
		return nil
	}
	return &blocker{b.PID, b.User, b.Application, b.State, b.Query, b.Age.Seconds()}
}

func newMirrorStatus(m writeback.Stats) *mirrorStatus {
	return &mirrorStatus{
		Connected: m.Connected, Position: m.Position,
		LagGroups: m.LagGroups, LagRecords: m.LagRecords, LagBytes: m.LagBytes, LagSeconds: m.LagAge.Seconds(),
		Rows: m.RowsWritten, Deleted: m.RowsDeleted, Refused: m.RowsRefused, Coalesced: m.Coalesced, Lanes: m.Lanes,
		DeadLetters: m.DeadLetters, Incomplete: m.Incomplete, Waiting: m.Waiting, Blocked: newBlocker(m.Blocked),
		Failures: m.Failures, LastError: text(m.LastError), Stopped: m.Stopped,
	}
}
