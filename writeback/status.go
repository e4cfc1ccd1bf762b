package writeback

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// status is what Stats and Flush know of Run.
type status struct {
	source Source

	mu      sync.Mutex
	stats   Stats // without what snapshot fills in; guarded by mu, with what follows
	lag     lag
	window  *window       // of the session that is open, or nil
	holds   uint64        // the position from which tables are being filled anew, plus 1; 0: none are
	oldest  int64         // Time of the oldest group that the last session left behind, or 0
	away    time.Time     // since when the database is not known to be there; only while stats.Connected is false
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

// failure returns why the database is away, or nil if that is not known, and what is closed when that may have changed.
func (s *status) failure() (error, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats.LastError, s.changed
}

// wait returns nil once the database has position.
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

// opened tells that a session has begun with the database as it is.
func (s *status) opened(db *database, w *window) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Position, s.holds = db.position, 0
	s.lag.position = db.position
	s.stats.DeadLetters, s.stats.Incomplete = db.letters, db.incompleteTables()
	s.window = w
	s.notifyLocked()
}

// filling tells that tables are being filled anew, from position on.
func (s *status) filling(position uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds = position + 1
}

// needs returns the position from which the log is needed, and whether it is being read for tables that are filled
// anew.
func (s *status) needs() (position uint64, filling bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holds > 0 {
		return s.holds, true
	}
	return s.stats.Position + 1, false
}

// counted tells how many dead letters there are.
func (s *status) counted(letters int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.DeadLetters = letters
}

// committed tells that b is in the database, with the effect done, over how many connections it got there, and how many
// dead letters there are now.
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

// healthy tells that the database answers and nothing is left undone. It returns whether that is news.
func (s *status) healthy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := !s.stats.Connected
	s.stats.Connected, s.stats.LastError, s.stats.Blocked = true, nil, nil
	return news
}

// waits tells whether a connection is waited for.
func (s *status) waits(waiting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Waiting = waiting
}

// blocked tells what a transaction waits for; nil: it does not wait.
func (s *status) blocked(by *Blocker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Blocked = by
}

// blocker returns what the mirror waits for, if that is known.
func (s *status) blocker() *Blocker {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats.Blocked
}

// stalled tells that a batch could not be written for now because of err. It returns whether that is news.
func (s *status) stalled(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := s.stats.Connected
	s.stats.Connected = false
	s.stats.Failures++
	s.stats.LastError, s.stats.LastErrorAt = err, time.Now()
	return news
}

// failed tells that a session has ended with err. It returns whether that is news.
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

// stop tells that Run has ended, because of err if that is not nil.
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
