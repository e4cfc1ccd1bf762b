// Package random makes the random calls of a run and records them for package history to judge. It is shared by the
// tests of spacetest, which call from goroutines of one process, and by the campaigns of spacetest/crash, which call
// from processes that are killed. What differs between them is their World.
package random

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest/history"
)

// World is what a caller calls, and where its calls are recorded. Its methods are called by the caller's goroutine.
type World interface {
	// Record makes a call and records it. call sets the outcome and the results of op.
	Record(op history.Op, call func(op *history.Op))
	// Context returns the context of one call.
	Context() (context.Context, context.CancelFunc)
	// Space returns the space that has the items of a key.
	Space(key int) space.Space
	// Number returns a number that no item and no transaction of the run has.
	Number() int
	// Lease returns the lease of new items.
	Lease() time.Duration
	// Pad returns text that makes an item larger.
	Pad() string
	// Outcome returns the outcome of a call that has returned err.
	Outcome(err error) history.Outcome
}

// Outcome returns the outcome of a call that has returned err; false if no call of a healthy run returns it.
func Outcome(err error) (history.Outcome, bool) {
	switch {
	case err == nil:
		return history.OK, true
	case errors.Is(err, space.ErrTxnEnded), errors.Is(err, space.ErrDeadlock):
		return history.Ended, true
	case errors.Is(err, space.ErrNoMatch), errors.Is(err, space.ErrLeaseEnded), errors.Is(err, space.ErrVersionConflict),
		errors.Is(err, space.ErrLocked):
		return history.None, true
	case errors.Is(err, space.ErrOutcomeUnknown):
		return history.Unknown, true
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return history.Refused, true
	}
	return history.Refused, false
}

// UpTo returns a random positive duration of at most d.
func UpTo(rng *rand.Rand, d time.Duration) time.Duration {
	return 1 + time.Duration(rng.Int64N(int64(d)))
}
