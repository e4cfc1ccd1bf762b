//go:build linux

package crash

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest/history"
)

// caller makes random calls with the items of one lane. It belongs to one goroutine.
type caller struct {
	*process
	lane   int
	limit  time.Duration // for each call; 0: a random one, or none
	rng    *rand.Rand
	leases []leased
	seen   []seen
}

// leased is an item that the caller has written.
type leased struct {
	lease *space.Lease
	item  history.Item
}

// seen is an entry as the caller found it.
type seen struct {
	id      space.LeaseID
	version uint32
	item    item
}

// run calls until ctx ends.
func (c *caller) run(ctx context.Context) {
	for ctx.Err() == nil {
		c.call()
		pause(ctx, upTo(c.rng, 40*time.Millisecond))
	}
}

func (c *caller) call() {
	none := &under{caller: c}
	switch n := c.rng.IntN(100); {
	case n < 30:
		c.transaction()
	case n < 52:
		none.write(1 + c.rng.IntN(4)*c.rng.IntN(2))
	case n < 72:
		none.find(history.Take, 1+c.rng.IntN(4)*c.rng.IntN(2))
	case n < 84:
		none.find(history.Read, 1+c.rng.IntN(3))
	case n < 87:
		none.count()
	case n < 96:
		none.find(history.Read, 2)
		none.update(&c.seen)
	default:
		c.cancel()
	}
}

// key returns a random key of the lane.
func (c *caller) key() int { return c.lane*keysPerLane + 1 + c.rng.IntN(keysPerLane) }

// context returns the context of a call, which may end before the answer comes.
func (c *caller) context() (context.Context, context.CancelFunc) {
	if c.limit > 0 {
		return context.WithTimeout(context.Background(), c.limit)
	}
	if c.rng.IntN(4) > 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), upTo(c.rng, 400*time.Millisecond))
}

func (c *caller) cancel() {
	if len(c.leases) == 0 {
		return
	}
	l := c.leases[c.rng.IntN(len(c.leases))]
	c.do(history.Op{Verb: history.Cancel, Items: []history.Item{l.item}}, func(op *history.Op) {
		ctx, cancel := c.context()
		defer cancel()
		op.Outcome = c.outcome(l.lease.Cancel(ctx))
	})
}

// outcome returns the outcome of a call in the history, given its error.
func (p *process) outcome(err error) history.Outcome {
	switch {
	case err == nil:
		return history.OK
	case errors.Is(err, space.ErrTxnEnded), errors.Is(err, space.ErrDeadlock):
		return history.Ended
	case errors.Is(err, space.ErrNoMatch), errors.Is(err, space.ErrLeaseEnded), errors.Is(err, space.ErrVersionConflict),
		errors.Is(err, space.ErrLocked):
		return history.None
	case errors.Is(err, space.ErrOutcomeUnknown):
		return history.Unknown
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, space.ErrUnavailable):
		return history.Refused
	}
	p.complain("unexpected: %v", err)
	return history.Refused
}

// pad returns text that makes an entry larger.
func pad(rng *rand.Rand, most int) string { return strings.Repeat("x", rng.IntN(most)) }

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// upTo returns a random duration below d.
func upTo(rng *rand.Rand, d time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(d))) }
