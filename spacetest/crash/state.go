//go:build linux

package crash

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/replication"
)

// judgeState rebuilds the state of each space from every snapshot and the log after it, and from the log alone if that
// has its beginning: the hashes must be equal. The newest snapshot is the server's memory, so that must equal the log,
// too.
func (r *resting) judgeState(ctx context.Context) (err error) {
	store, err := replication.Open(ctx, replication.Config{Dir: r.server.data})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for _, name := range spaceNames {
		log, err := store.Log(ctx, name, 0)
		if err != nil {
			return err
		}
		if err := r.judgeLog(ctx, log); err != nil {
			return fmt.Errorf("space %s: %w", name, err)
		}
	}
	return nil
}

func (r *resting) judgeLog(ctx context.Context, log *replication.Log) error {
	ignore := func([]byte) error { return nil }
	if _, _, err := log.Load(ctx, ignore, nil); err != nil { // the log learns from it what came before
		return err
	}
	positions, err := log.Snapshots()
	if err != nil {
		return err
	}
	if log.Stats().First == 1 {
		positions = append(positions, 0)
	}
	hashes := map[uint64]uint64{} // by position
	for _, p := range positions {
		hash, err := r.replay(ctx, log, p)
		if errors.Is(err, replication.ErrBadSnapshot) && r.damaged[r.file(log, p)] {
			continue
		}
		if err != nil {
			return fmt.Errorf("from the snapshot at position %d: %w", p, err)
		}
		hashes[p] = hash
		for q, other := range hashes {
			if other != hash {
				return fmt.Errorf("the state made from position %d has hash %x, the one made from %d %x", p, hash, q, other)
			}
		}
	}
	if len(hashes) == 0 {
		return errors.New("there is no good snapshot")
	}
	return nil
}

func (r *resting) file(log *replication.Log, position uint64) string {
	return fmt.Sprintf("%s/%020d.snapshot", log.SnapshotDir(), position)
}

// replay returns the hash of the state of a snapshot, or of nothing, and the log after it.
func (r *resting) replay(ctx context.Context, log *replication.Log, position uint64) (uint64, error) {
	e := engine.New(engine.Config{}, 0)
	if position > 0 {
		if err := r.load(e, log, position); err != nil {
			return 0, err
		}
	}
	last := max(log.Last(), position)
	err := log.Read(ctx, position+1, last, func(g record.Group) error {
		if err := e.Apply(g.Records); err != nil {
			return fmt.Errorf("log position %d: %w", g.Position, err)
		}
		return nil
	})
	return e.Hash(), err
}

func (r *resting) load(e *engine.Engine, log *replication.Log, position uint64) error {
	f, err := os.Open(r.file(log, position))
	if err != nil {
		return err
	}
	defer f.Close()
	l := e.Load()
	_, err = replication.ReadSnapshot(f, func(records []byte) error {
		if len(records) > 0 && record.Op(records[0]) == record.Unread {
			return nil
		}
		return l.Add(records)
	})
	if err != nil {
		return err
	}
	return l.Finish()
}
