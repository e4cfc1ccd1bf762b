package writeback

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/internal/record"
)

// session mirrors the log until something fails or ends. Records that were read but are not in the database are then
// dropped: the next session begins at the position in the database. So the cause of the failure does not matter, nor
// whether a commit whose answer was lost has happened.
func (w *Writer) session(ctx context.Context, pauses *backoff.Backoff) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	db, err := openDatabase(ctx, w)
	if err != nil {
		return err
	}
	if err := w.checkLog(ctx, db); err != nil {
		return err
	}
	if db.inherited {
		w.cfg.Logger.Info("mirror_taken_over", "from", db.origin.Incarnation, "at", db.origin.Position, "position",
			db.position)
	}
	for _, damage := range db.repaired {
		w.cfg.Logger.Warn("mirror_repaired", "damage", damage)
	}
	if err := w.refill(ctx, db); err != nil {
		return err
	}
	leftovers := &leftovers{writer: w, db: db}
	if err := leftovers.drop(); err != nil {
		return err
	}
	lanes := &lanes{ctx: ctx, cfg: w.cfg, main: db}
	window := newWindow(w.cfg, db)
	if db.position == w.source.Last() {
		w.good(db.position, pauses)
	}
	w.status.opened(db, window)

	read := make(chan struct{})
	go func() {
		defer close(read)
		err := w.source.Follow(ctx, db.position, func(g record.Group) error { return window.add(ctx, g) })
		window.end(fmt.Errorf("read the log: %w", err)) // what was read before can still be written
	}()
	cancel(w.write(ctx, lanes, window, leftovers, pauses))
	<-read
	return context.Cause(ctx)
}

// checkLog returns an error that wraps ErrOtherLog if the log is no longer the one that the mirror has followed: it has
// lost its end, and may have grown again since. A part that the log has truncated at its beginning is covered by
// snapshots, so it was not lost.
func (w *Writer) checkLog(ctx context.Context, db *database) error {
	const lost = "the log has lost its end, and the tables may have entries that the space does not have; " +
		"drop the mirror to build it anew"
	upto := max(db.position, db.ahead)
	if last := w.source.Last(); upto > last {
		return fmt.Errorf("%w: it has the log up to position %d, and the log ends at %d: %s", ErrOtherLog, upto, last, lost)
	}
	if db.stamp == 0 || upto < w.first() {
		return nil
	}
	var there record.Group
	errRead := errors.New("read")
	err := w.source.Follow(ctx, upto-1, func(g record.Group) error {
		there = record.Group{Position: g.Position, Time: g.Time}
		return errRead
	})
	if !errors.Is(err, errRead) {
		return fmt.Errorf("read the log: %w", err)
	}
	if there.Position != upto || there.Time != db.stamp {
		return fmt.Errorf("%w: it has the log up to position %d, and the log has something else there: %s",
			ErrOtherLog, upto, lost)
	}
	return nil
}

// write writes batches until something fails or ctx ends.
func (w *Writer) write(ctx context.Context, lanes *lanes, window *window, leftovers *leftovers,
	pauses *backoff.Backoff,
) error {
	db, opened := lanes.main, time.Now()
	checked, every := opened, w.cfg.PingInterval
	for {
		if now := time.Now(); now.Sub(checked) >= every {
			if err := w.check(db, now.Sub(opened)); err != nil {
				return err
			}
			checked, every = now, min(2*every, idlePings*w.cfg.PingInterval)
		}
		b, err := window.take(ctx, w.cfg.FlushInterval, min(every, leftovers.pause()), w.wanted)
		if err != nil {
			return err
		}
		if b == nil {
			if err := leftovers.drop(); err != nil {
				return err
			}
			continue
		}
		every = w.cfg.PingInterval
		done, n, err := w.apply(ctx, lanes, b)
		if err != nil {
			return err
		}
		if err := leftovers.drop(); err != nil {
			return err
		}
		if done.refused > 0 {
			w.cfg.Logger.Warn("rows_refused", "rows", done.refused, "dead_letters", db.letters)
		}
		w.good(b.to, pauses) // first, so that callers that wait for the position find the mirror running
		window.done()        // first clears the memory; b is unchanged until the next take
		w.status.committed(b, done, n, db.letters)
	}
}

// idlePings is the factor by which an idle mirror extends the interval of its checks.
const idlePings = 6

// apply writes b. While others hold locks that it needs, it tries repeatedly, and releases its own locks and its
// connection between attempts.
func (w *Writer) apply(ctx context.Context, lanes *lanes, b *batch) (done effect, n int, err error) {
	pauses := backoff.Backoff{Min: w.cfg.RetryMin, Max: min(w.cfg.RetryMax, lockPause)}
	for {
		done, n, err = lanes.apply(b)
		if !lockTimedOut(err) {
			return done, n, err
		}
		if w.status.stalled(err) {
			w.cfg.Logger.Warn("mirror_blocked", "error", err, "by", w.status.blocker())
		}
		if pauses.Wait(ctx) != nil {
			return effect{}, 0, context.Cause(ctx)
		}
	}
}

// check returns an error if the database does not answer, or if tables must be repaired or refilled.
func (w *Writer) check(db *database, age time.Duration) error {
	if len(db.incomplete) > 0 && age >= w.cfg.RefillInterval {
		return errIncomplete
	}
	if err := db.transact(db.countLetters); err != nil {
		return err
	}
	if err := db.reconcile(); err != nil {
		return err
	}
	w.status.counted(db.letters)
	return db.inspect()
}

// good records that the database has the log up to position and everything works.
func (w *Writer) good(position uint64, pauses *backoff.Backoff) {
	pauses.Reset()
	if w.status.healthy() {
		w.cfg.Logger.Info("mirror_running", "position", position)
	}
}
