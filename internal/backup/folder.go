package backup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/txn"
)

// VerifyFolder reads the data folder of a stopped server, snapshots and logs, and rebuilds its state in memory; it
// changes nothing. It returns a summary of each space, and an error that describes each damage and its place. A damaged
// snapshot is an error even if the log or another snapshot has all of its data; the summary is then complete.
func VerifyFolder(ctx context.Context, dir string) (found []Space, err error) {
	store, err := replication.Open(ctx, replication.Config{Dir: dir})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	logs, err := store.Spaces(ctx)
	if err != nil {
		return nil, err
	}
	var damaged error // not needed for the states, or of spaces whose logs lack something
	for _, name := range slices.Sorted(maps.Keys(logs)) {
		for _, partition := range logs[name] {
			space, whole, err := verifyPartition(ctx, store, name, partition)
			if err != nil {
				at := txn.Address{Space: name, Partition: uint16(partition)}
				damaged = errors.Join(damaged, fmt.Errorf("space %q: %w", at, err))
			}
			if whole {
				found = append(found, space)
			} else if !replication.Unusable(err) {
				return found, damaged
			}
		}
	}
	return found, damaged
}

// verifyPartition reads a partition of a space, and reports whether its state is complete. The error may concern
// something that the state does not need.
func verifyPartition(
	ctx context.Context, store *replication.Store, name string, partition int,
) (s Space, whole bool, err error) {
	log, err := store.Log(ctx, name, partition)
	if err != nil {
		return s, false, err
	}
	e, last, err := State(ctx, log, partition)
	if err != nil {
		return s, false, err
	}
	return Space{Name: name, Partition: partition, Position: last, Entries: entries(e)}, true, verifySnapshots(log)
}

// verifySnapshots reads all snapshots of a log, including those not used for its state.
func verifySnapshots(log *replication.Log) error {
	positions, err := log.Snapshots()
	for _, p := range positions {
		err = errors.Join(err, verifySnapshot(log, p))
	}
	return err
}

func verifySnapshot(log *replication.Log, position uint64) error {
	f, err := log.OpenSnapshot(position)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err = replication.ReadSnapshot(f, nil); err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	return nil
}

// State reads the log of a partition that has no primary, and returns its state and the position of its end. After an
// error the state is what was read so far, or nil.
func State(ctx context.Context, log *replication.Log, partition int) (e *engine.Engine, last uint64, err error) {
	e = engine.New(engine.Config{Partition: uint16(partition)}, 0)
	l := e.Load()
	position, _, err := log.Load(ctx, skipUnread(l.Add), nil)
	if err == nil && position > 0 {
		err = l.Finish()
	}
	if err != nil {
		return nil, 0, err
	}
	last = max(log.Last(), position)
	err = log.Read(ctx, position+1, last, func(g record.Group) error {
		if err := e.Apply(g.Records); err != nil {
			return fmt.Errorf("log position %d: %w", g.Position, err)
		}
		return nil
	})
	return e, last, err
}

// skipUnread passes on the records of an image that the engine knows.
func skipUnread(add func(records []byte) error) func(records []byte) error {
	return func(records []byte) error {
		if len(records) > 0 && record.Op(records[0]) == record.Unread {
			return nil
		}
		return add(records)
	}
}

// entries counts the visible entries of each kind.
func entries(e *engine.Engine) map[string]int {
	counts := map[string]int{}
	for i, n := range e.Kinds(0).Counts {
		if n < 0 {
			continue // a dropped kind
		}
		counts[e.Schema(call.KindID(i+1)).Kind] = n
	}
	return counts
}
