package writeback

import (
	"fmt"
	"math"
	"time"
)

// leftovers drops the tables of dropped kinds. While others use a table, it retries from time to time.
type leftovers struct {
	writer  *Writer
	db      *database
	blocked time.Time // when a lock was last not obtained; zero: never
}

// drop drops the leftover tables, unless a lock was not obtained a moment ago.
func (l *leftovers) drop() error {
	tables := l.db.unfinished()
	if len(tables) == 0 || time.Since(l.blocked) < lockPause {
		return nil
	}
	for _, t := range tables {
		kept, err := l.db.dropTable(t)
		if lockTimedOut(err) {
			if l.blocked.IsZero() {
				l.writer.cfg.Logger.Warn("mirror_blocked", "error", err, "by", l.writer.status.blocker())
			}
			l.blocked = time.Now()
			return nil
		}
		if err != nil {
			return fmt.Errorf("drop the table of kind %q: %w", t.schema.Kind, err)
		}
		l.tell(t, kept)
	}
	l.blocked = time.Time{}
	l.writer.status.blocked(nil)
	return nil
}

func (l *leftovers) tell(t *table, kept error) {
	switch now := l.db.tables[t.kind]; {
	case now.left:
	case kept != nil:
		l.writer.cfg.Logger.Warn("table_kept", "kind", t.schema.Kind, "table", now.sql(), "reason", kept)
	default:
		l.writer.cfg.Logger.Info("table_dropped", "kind", t.schema.Kind, "table", t.sql())
	}
}

// pause returns the time after which to call drop again.
func (l *leftovers) pause() time.Duration {
	if l.blocked.IsZero() {
		return math.MaxInt64
	}
	return lockPause
}
