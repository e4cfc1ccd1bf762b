package writeback

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// laneRetry is how long the lanes that there are have to do when the database admits no more.
const laneRetry = time.Minute

// lanes write batches: small ones over the connection of the session, large ones in parts over several connections side by side. What a
// batch does to one entry is in one part, and the next batch begins when all parts are committed, so changes of an entry keep their order. Entries
// that must be seen to change together are in one part, too.
//
// A batch that is divided has three steps, each one a transaction or several:
//
//  1. announce: the stored ahead is raised to the end of the batch, and the highest entry to its highest, unless ready did so
//  2. every lane commits its part, unless somebody has changed what was announced
//  3. the position is moved to the end of the batch
//
// Whoever finds ahead beyond the position knows that some of the parts may be there. It writes everything up to there in one transaction
// and deletes what is there of it first, as with any entry that is not above the highest. So it need not know what the parts were.
type lanes struct {
	ctx  context.Context // of the session
	cfg  Config
	main *database

	others []*database // open; used by one batch at a time
	used   bool        // since the last rest
	retry  time.Time   // when to try again to open more, after a failure
	single bool        // the database has rules between rows: no more batches are divided
}

// apply brings the database from b.from to b.to. It returns over how many connections. Its errors are those of database.apply.
func (l *lanes) apply(b *batch) (done effect, n int, err error) {
	n = l.worth(b)
	if err := l.main.ready(b); err != nil {
		return effect{}, 1, fmt.Errorf("groups %d to %d of the log: %w", b.from+1, b.to, err)
	}
	if n > 1 {
		n = l.connect(n)
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

// worth returns over how many connections b should be written.
func (l *lanes) worth(b *batch) int {
	if l.single || b.from < l.main.ahead {
		return 1
	}
	return max(1, min(l.cfg.Lanes, b.changes()/l.cfg.LaneRows))
}

// connect sees to it that there are n connections, and returns how many there are: fewer if the database does not admit more.
func (l *lanes) connect(n int) int {
	for len(l.others) < n-1 && !time.Now().Before(l.retry) {
		db, err := connect(l.ctx, l.cfg)
		if err == nil {
			if err = db.transact(db.prepare); err != nil {
				db.close()
			}
		}
		if err != nil {
			l.cfg.Logger.Warn("mirror_lane_refused", "lanes", 1+len(l.others), "wanted", n, "error", err)
			l.retry = time.Now().Add(laneRetry)
			break
		}
		db.incarnation = l.main.incarnation
		l.others = append(l.others, db)
	}
	return min(n, 1+len(l.others))
}

// rest closes the connections that have not been used since the last call.
func (l *lanes) rest() {
	if !l.used {
		l.close()
	}
	l.used = false
}

func (l *lanes) close() {
	for _, db := range l.others {
		db.close()
	}
	l.others = nil
}

func (l *lanes) applyDivided(b *batch, n int) (done effect, err error) {
	l.used = true
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
		return done, err
	}
	for _, p := range parts {
		done.add(p.done)
	}
	return done, l.main.transact(func(tx *sql.Tx) error { return l.main.advance(tx, b) })
}

// write commits parts side by side. Those of which the database refuses rows are written again, isolating them.
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
