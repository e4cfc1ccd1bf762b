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
	"github.com/gospaces/gospaces/spacetest/random"
)

// caller makes random calls with the items of one lane, and is the World of package random for them. It belongs to one
// goroutine.
type caller struct {
	*random.Caller
	*process
	lane  int
	limit time.Duration // for each call; 0: a random one, or none
}

// caller returns a caller of the process.
func (p *process) caller(lane int, rng *rand.Rand) *caller {
	c := &caller{process: p, lane: lane}
	c.Caller = &random.Caller{
		World: c, Rng: rng, Colors: colors, Wait: 50 * time.Millisecond,
		Rest: 100 * time.Millisecond,
	}
	return c
}

// run calls until ctx ends.
func (c *caller) run(ctx context.Context) {
	for ctx.Err() == nil {
		c.call()
		pause(ctx, upTo(c.Rng, 40*time.Millisecond))
	}
}

func (c *caller) call() {
	none := &random.Txn{Caller: c.Caller, Key: c.key}
	switch n := c.Rng.IntN(100); {
	case n < 30:
		c.transaction()
	case n < 40:
		none.Find(history.Read, 2)
		none.Update()
	default:
		c.Call(none)
	}
}

// key returns a random key of the lane.
func (c *caller) key() int { return c.lane*keysPerLane + 1 + c.Rng.IntN(keysPerLane) }

// keyIn returns a random key of the lane whose items are in a space.
func (c *caller) keyIn(space int) int {
	for {
		if key := c.key(); spaceOf(key) == space {
			return key
		}
	}
}

// Record implements random.World.
func (c *caller) Record(op history.Op, call func(op *history.Op)) { c.do(op, call) }

// Context implements random.World. The context may end before the answer comes.
func (c *caller) Context() (context.Context, context.CancelFunc) {
	if c.limit > 0 {
		return context.WithTimeout(context.Background(), c.limit)
	}
	if c.Rng.IntN(4) > 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), upTo(c.Rng, 400*time.Millisecond))
}

// Space implements random.World.
func (c *caller) Space(key int) space.Space { return c.spaces[spaceOf(key)] }

// Number implements random.World.
func (c *caller) Number() int { return c.next() }

// longestLease is the longest finite lease of an item.
const longestLease = time.Second

// Lease implements random.World.
func (c *caller) Lease() time.Duration {
	if c.Rng.IntN(6) == 0 {
		return random.UpTo(c.Rng, longestLease)
	}
	return space.Forever
}

// Pad implements random.World.
func (c *caller) Pad() string { return pad(c.Rng, 1000) }

// Outcome implements random.World.
func (c *caller) Outcome(err error) history.Outcome { return c.outcome(err) }

// outcome returns the outcome of a call in the history, given its error.
func (p *process) outcome(err error) history.Outcome {
	outcome, expected := random.Outcome(err)
	if !expected && !errors.Is(err, space.ErrUnavailable) {
		p.complain("unexpected: %v", err)
	}
	return outcome
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
