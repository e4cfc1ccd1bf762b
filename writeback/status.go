package writeback

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// status is the state of Run that Stats and Flush see.
type status struct {
	source Source

	mu      sync.Mutex
	stats   Stats // without the fields set by snapshot; guarded by mu, with what follows
	lag     lag
	window  *window       // of the current session, or nil
	holds   uint64        // the position from which tables are being refilled, plus 1; 0: none
	oldest  int64         // Time of the oldest group that the last session left, or 0
	away    time.Time     // since when the database is away; only while stats.Connected is false
	changed chan struct{} // closed and replaced when stats.Position moves, a session fails or Run ends
	stopped error         // ErrStopped, wrapped with the cause, once Run has ended
}

func newStatus(source Source) *status {
	return &status{source: source, away: time.Now(), changed: make(chan struct{})}
}

// snapshot returns the stats.
func (s *status) snapshot(now time.Time) Stats {
	last := s.source.Last()
	s.mu.Lock()
	stats, lag, oldest, away, window := s.stats, s.lag, s.oldest, s.away, s.window
	s.mu.Unlock()
	if window != nil {
		stats.BufferedRecords, stats.BufferedBytes, oldest = window.content()
	}
	if last <= stats.Position {
		return stats
	}
	stats.LagGroups = last - stats.Position
	stats.LagRecords, stats.LagBytes = lag.behind(s.source)
	stats.LagRecords = max(stats.LagRecords, uint64(stats.BufferedRecords))
	switch {
	case oldest != 0:
		stats.LagAge = max(0, now.Sub(time.Unix(0, oldest)))
	case !stats.Connected:
		stats.LagAge = now.Sub(away)
	}
	return stats
}

// failure returns the reason why the database is away, nil if it is not known to be, and a channel that is closed when
// that may have changed.
func (s *status) failure() (changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed, s.stats.LastError
}

// wait returns nil once the database is at position.
func (s *status) wait(ctx context.Context, position uint64) error {
	for {
		s.mu.Lock()
		reached, stopped, changed := s.stats.Position >= position, s.stopped, s.changed
		s.mu.Unlock()
		if reached {
			return nil
		}
		if stopped != nil {
			return stopped
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// opened records the start of a session.
func (s *status) opened(db *database, w *window) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Position, s.holds = db.position, 0
	s.lag.position = db.position
	s.stats.DeadLetters, s.stats.Incomplete = db.letters, db.incompleteTables()
	s.window = w
	s.notifyLocked()
}

// filling records that tables are being refilled from position on.
func (s *status) filling(position uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds = position + 1
}

// needs returns the position from which the log is needed, and whether it is being read for a refill.
func (s *status) needs() (position uint64, filling bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holds > 0 {
		return s.holds, true
	}
	return s.stats.Position + 1, false
}

// counted records the number of dead letters.
func (s *status) counted(letters int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.DeadLetters = letters
}

// committed records that b is in the database, with its effect, the number of connections used, and the number of dead
// letters.
func (s *status) committed(b *batch, done effect, lanes, letters int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Position = b.to
	s.lag.commit(b)
	s.stats.RowsWritten += done.written
	s.stats.RowsDeleted += done.deleted
	s.stats.RowsRenewed += done.renewed
	s.stats.RowsRefused += done.refused
	s.stats.DeadLetters = letters
	s.stats.Coalesced += b.coalesced
	s.stats.Commits++
	s.stats.Lanes = lanes
	s.notifyLocked()
}

// healthy records that the database answers and nothing is left to do. It reports whether that is new.
func (s *status) healthy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := !s.stats.Connected
	s.stats.Connected, s.stats.LastError, s.stats.Blocked = true, nil, nil
	return news
}

// waits records whether the writer waits for a connection.
func (s *status) waits(waiting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Waiting = waiting
}

// blocked records the session that blocks a transaction; nil: none.
func (s *status) blocked(by *Blocker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Blocked = by
}

// blocker returns the session that blocks the mirror, if known.
func (s *status) blocker() *Blocker {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats.Blocked
}

// stalled records that a batch could not be written for now because of err. It reports whether that is new.
func (s *status) stalled(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := s.stats.Connected
	s.stats.Connected = false
	s.stats.Failures++
	s.stats.LastError, s.stats.LastErrorAt = err, time.Now()
	return news
}

// failed records that a session has ended with err. It reports whether that is new.
func (s *status) failed(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := s.stats.Connected || s.stats.Failures == 0
	if s.stats.Connected {
		s.away = time.Now()
	}
	if s.window != nil {
		_, _, s.oldest = s.window.content()
		s.window = nil
	}
	s.holds = 0
	s.stats.Connected = false
	s.stats.Failures++
	s.stats.LastError, s.stats.LastErrorAt = err, time.Now()
	s.notifyLocked()
	return news
}

// stop records that Run has ended, because of err if that is not nil.
func (s *status) stop(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = ErrStopped
	if err != nil {
		s.stopped = fmt.Errorf("%w: %w", ErrStopped, err)
		s.stats.LastError, s.stats.LastErrorAt = err, time.Now()
	}
	s.stats.Connected, s.stats.Stopped = false, true
	s.window = nil
	s.notifyLocked()
}

func (s *status) notifyLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}
