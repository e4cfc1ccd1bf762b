package replication

import (
	"context"
	"fmt"

	"github.com/gospaces/gospaces/internal/record"
)

// Origin tells where the first state of a log came from if it did not begin empty: another log, up to the point that a
// database had when a space was loaded from its tables. A reader that followed that log up to there can go on with this
// one from position At.
type Origin struct {
	Incarnation string `json:"incarnation"` // of the other log
	Position    uint64 `json:"position"`    // in it
	At          uint64 `json:"at"`          // the position in this log after which it goes on
	Highest     uint64 `json:"highest"`     // identity of an entry that was loaded
}

// Origin returns the origin of the log's first state; false if it began empty, or was restored from a backup. It is
// known from Load on.
func (l *Log) Origin() (Origin, bool) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	if l.origin == nil {
		return Origin{}, false
	}
	return *l.origin, true
}

// Begin begins the snapshot with which a log that never had a message begins at the next Load. It contains the origin,
// whose At it sets, so that a crash leaves all of it or nothing. Commit or Abort must follow.
func (l *Log) Begin(o Origin) (*Snapshot, error) {
	if l.store.cfg.Cluster != nil {
		return nil, errCluster
	}
	if !l.Pristine() {
		return nil, fmt.Errorf("replication: log %v has begun already", l.id)
	}
	o.At = 1
	return l.snapshot(o.At, record.Clock{}, &o)
}

// Pristine reports whether the log never had any message or snapshot.
func (l *Log) Pristine() bool {
	snapshots, err := l.Snapshots()
	return err == nil && len(snapshots) == 0 && l.Last() == 0
}

// Remake permanently deletes a log with its snapshots, and makes a new one, with another incarnation, which it returns.
// The old one is of no use any more. A crash on the way leaves no log, the old one or a new one.
func (s *Store) Remake(ctx context.Context, space string, partition int) (*Log, error) {
	if s.cfg.Cluster != nil {
		return nil, errCluster
	}
	old, err := s.Log(ctx, space, partition)
	if err != nil {
		return nil, err
	}
	if _, err := s.remove(ctx, old.id); err != nil {
		return nil, fmt.Errorf("remake log %v: %w", old.id, err)
	}
	return s.Log(ctx, space, partition)
}
