package writeback

import (
	"context"
	"database/sql"
	"fmt"
)

// Heir is a Source whose space may have been loaded from tables that mirrored another log. The mirror of that log
// continues with this one.
type Heir interface {
	Source

	// Origin returns the origin of the space; false if it was not loaded.
	Origin() (Origin, bool)
}

// Origin is the log and position from which a loaded space was made.
type Origin struct {
	Incarnation string // of the other log
	Position    uint64 // of the tables in it
	At          uint64 // the position of the same state in this log
	Highest     uint64 // identity of a loaded entry
}

// originOf returns the origin of source, or nil if there is none.
func originOf(source Source) *Origin {
	heir, ok := source.(Heir)
	if !ok {
		return nil
	}
	o, ok := heir.Origin()
	if !ok {
		return nil
	}
	return &o
}

// TakeOver makes the mirror of a partition one of another log: that of a space which was loaded from its tables. The
// tables must be those from which it was loaded, and no Writer may mirror the partition at the time. It returns
// ErrOtherLog, and changes nothing, if the tables have changed since.
func TakeOver(ctx context.Context, dsn, space string, partition int, incarnation string, from Origin) error {
	db, err := connect(ctx, Config{DSN: dsn, Space: space, Partition: partition})
	if err != nil {
		return err
	}
	defer db.close()
	db.incarnation, db.origin = incarnation, &from
	return db.transact(func(tx *sql.Tx) error {
		if db.partitions, err = db.countPartitions(tx); err != nil {
			return err
		}
		return db.loadPosition(tx)
	})
}

// inherit makes the mirror one of this log, if the tables are exactly those from which the space was loaded: they equal
// the space, and need not be written again unless the other mirror was stopped in the middle of a batch. It reports
// whether it did. A writer that still mirrors the other log into this database finds that it no longer owns it.
func (db *database) inherit(tx *sql.Tx, incarnation string) (bool, error) {
	o := db.origin
	if o == nil || o.Incarnation != incarnation || o.Position != db.position {
		return false, nil
	}
	highest := max(db.highest, o.Highest)
	moved, err := affected(tx.Exec(`UPDATE gospaces.positions
		SET incarnation = $1, position = $2, highest_entry = $3, ahead = 0, stamp = 0, updated_at = now()
		WHERE space = $4 AND partition = $5 AND incarnation = $6 AND position = $7`,
		db.incarnation, int64(o.At), int64(highest), db.space, db.partition, incarnation, int64(o.Position)))
	if err != nil {
		return false, fmt.Errorf("take the mirror over: %w", err)
	}
	if moved != 1 {
		return false, errMoved
	}
	if db.ahead > db.position {
		// Parts of the last batch may have been written since the space was loaded.
		if err := db.distrust(tx); err != nil {
			return false, err
		}
	}
	db.position, db.highest, db.ahead, db.stamp, db.inherited = o.At, highest, 0, 0, true
	return true, nil
}
