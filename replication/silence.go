package replication

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"
)

// A request for messages may go to a node that has stopped, and is never answered. The next may go to another node.

const (
	// firstLimit is how long a reader waits for an answer at first. Each missing answer doubles it, up to lastLimit: a
	// slow network looks the same.
	firstLimit, lastLimit = 300 * time.Millisecond, 5 * time.Second

	// silencePause is the time without a missing answer after which the limit begins anew.
	silencePause = 10 * time.Second
)

// silence counts the requests that were not answered in time.
type silence struct {
	mu    sync.Mutex
	count int       // guarded by mu
	last  time.Time // guarded by mu
}

// limit returns how long the next answer may take.
func (s *silence) limit(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.last) > silencePause {
		s.count = 0
	}
	return min(firstLimit<<min(s.count, 8), lastLimit)
}

// note records that an answer did not come in time.
func (s *silence) note(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count, s.last = s.count+1, now
}

// await does not wait: this node need not know what the log has.
func (l *shared) await(context.Context, uint64) error { return nil }

// absent waits for a moment: this node lags behind.
func (l *shared) absent(ctx context.Context, _ uint64) error { return pause(ctx, lagPause) }

func (l *shared) limit() time.Duration { return l.silence.limit(time.Now()) }

// unanswered waits for a moment: another try may help, however long that takes.
func (l *shared) unanswered(ctx context.Context, _ *embedded, _ bool, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		l.silence.note(time.Now())
		return context.Cause(ctx)
	}
	return pause(ctx, readPause)
}
