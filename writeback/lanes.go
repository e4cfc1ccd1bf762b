package writeback

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// lanes write batches: small ones over the connection of the session, large ones in parts over several connections
// concurrently. All changes of an entry are in one part, and the next batch begins when all parts are committed, so
// they keep their order. Entries whose changes must be seen together are also in one part.
//
// A divided batch is written in three steps, each of one or more transactions:
//
//  1. Announce: the stored ahead is raised to the end of the batch, and the highest entry to its highest, unless ready
//     did so.
//  2. Every lane commits its part, unless another writer has changed the announced range.
//  3. The position is moved to the end of the batch.
//
// A writer that finds ahead beyond the position knows that some of the parts may be in the database. It writes
// everything up to ahead in one transaction and first deletes existing rows, as for any entry that is not above the
// highest. So it need not know how the batch was divided.
type lanes struct {
	ctx  context.Context // of the session
	cfg  Config
	main *database

	others []*database // with a connection each, while a batch is written
	single bool        // the database has constraints between rows, so batches are no longer divided
}

// apply brings the database from b.from to b.to. It returns the number of connections used, and the errors of
// database.apply.
func (l *lanes) apply(b *batch) (done effect, n int, err error) {
	n = l.worth(b)
	if err := l.main.ready(b); err != nil {
		return effect{}, 1, fmt.Errorf("groups %d to %d of the log: %w", b.from+1, b.to, err)
	}
	if n > 1 {
		if n, err = l.connect(n); err != nil {
			return effect{}, 0, err
		}
		defer l.release()
	}
	if n == 1 {
		done, err = l.main.apply(b)
	} else if done, err = l.applyDivided(b, n); err != nil {
		err = fmt.Errorf("groups %d to %d of the log, in %d parts: %w", b.from+1, b.to, n, err)
	}
	if err != nil {
		return effect{}, n, err
	}
	l.main.position = b.to
	return done, n, nil
}

// worth returns the number of connections over which to write b.
func (l *lanes) worth(b *batch) int {
	if l.single || b.from < l.main.ahead {
		return 1
	}
	return max(1, min(l.cfg.Lanes, b.changes()/l.cfg.LaneRows))
}

// connect takes n connections, or fewer if no more are free, and returns their number. It waits only for that of the
// session, which comes first, so no lane with a connection waits for another.
func (l *lanes) connect(n int) (int, error) {
	if err := l.main.lease(); err != nil {
		return 0, err
	}
	for len(l.others) < n-1 {
		c := l.main.pool.try(l.ctx)
		if c == nil {
			break
		}
		db := newDatabase(l.ctx, l.cfg, l.main.pool)
		db.conn, db.incarnation, db.blocked = c, l.main.incarnation, l.main.blocked
		l.others = append(l.others, db)
	}
	return 1 + len(l.others), nil
}

// release returns the connections.
func (l *lanes) release() {
	for _, db := range l.others {
		db.release()
	}
	l.others = nil
	l.main.release()
}

func (l *lanes) applyDivided(b *batch, n int) (done effect, err error) {
	if err := l.main.announce(b); err != nil {
		return done, err
	}
	parts := l.divide(b, n)
	err = l.write(parts)
	if errors.Is(err, errBetween) {
		l.single = true
		l.cfg.Logger.Warn("mirror_lanes_off", "error", err)
		b.overwrite()
		return l.main.apply(b)
	}
	if err != nil {
		b.overwrite() // for a retry, since some of the parts may be in the database
		return done, err
	}
	for _, p := range parts {
		done.add(p.done)
	}
	return done, l.main.restoring(func() error {
		return l.main.transact(func(tx *sql.Tx) error { return l.main.advance(tx, b) })
	})
}

// write commits parts concurrently. Parts with refused rows are written again, isolating these.
func (l *lanes) write(parts []*part) error {
	letters := l.main.letters
	writeAll(parts, false)
	err := l.main.blame(failure(parts))
	if refusal(err) != nil && !errors.Is(err, errDamaged) {
		writeAll(refusedParts(parts), true)
		err = failure(parts)
	}
	for _, p := range parts {
		if p.db != l.main {
			l.main.letters += p.db.letters - letters
		}
	}
	return err
}

func (l *lanes) divide(b *batch, n int) []*part {
	parts := make([]*part, n)
	for i, divided := range b.divide(n) {
		db := l.main
		if i > 0 {
			db = l.others[i-1]
			db.tables, db.ranks, db.letters = l.main.tables, l.main.ranks, l.main.letters
		}
		parts[i] = &part{db: db, b: divided, from: b.from, to: b.to}
	}
	return parts
}
