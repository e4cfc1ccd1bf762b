// Package backoff paces the retries of something that fails for a while: a connection, a database, a job.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff yields pauses that double from Min to Max. Each is drawn from the upper half of its range, so that callers
// that failed together do not come back together. Its methods must not be called concurrently.
type Backoff struct {
	Min, Max time.Duration
	AtOnce   bool // a first pause of 0 precedes them

	begun   bool          // there was a pause since the last Reset
	ceiling time.Duration // of the latest pause
}

// Next returns the next pause. The first lies between Min/2 and Min, unless it is AtOnce.
func (b *Backoff) Next() time.Duration {
	if b.AtOnce && !b.begun {
		b.begun = true
		return 0
	}
	b.ceiling = min(max(2*b.ceiling, b.Min), b.Max)
	return b.ceiling - rand.N(b.ceiling/2+1)
}

// AtMax reports whether the pauses have grown to Max.
func (b *Backoff) AtMax() bool { return b.ceiling == b.Max }

// Reset makes the next pause a first one.
func (b *Backoff) Reset() { b.begun, b.ceiling = false, 0 }

// Ease takes back one doubling.
func (b *Backoff) Ease() { b.ceiling /= 2 }

// Wait blocks for the next pause. It returns ctx's error if ctx ends first.
func (b *Backoff) Wait(ctx context.Context) error { return Sleep(ctx, b.Next()) }

// Sleep blocks for d. It returns ctx's error if ctx ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
