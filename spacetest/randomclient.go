package spacetest

import (
	"context"
	"errors"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest/history"
	"github.com/gospaces/gospaces/spacetest/random"
)

// randomClient is one caller of a random run, and its world. It belongs to one goroutine.
type randomClient struct {
	*random.Caller
	*randomRun
	sp  space.Space
	log *history.Log
}

// call makes one random call.
func (c *randomClient) call() {
	if c.Rng.IntN(100) < c.workload.txns {
		c.transaction()
		return
	}
	none := &random.Txn{Caller: c.Caller, Home: c.sp, Key: c.anyKey}
	if c.Rng.IntN(100) < c.updates {
		none.Find(history.Read, 2)
		none.Update()
		return
	}
	c.Call(none)
}

// key returns a random key.
func (c *randomClient) key() int { return 1 + c.Rng.IntN(c.keys) }

// anyKey returns a random key, or 0 for all if patterns may span keys.
func (c *randomClient) anyKey() int {
	if c.crossKeys && c.Rng.IntN(5) == 0 {
		return 0
	}
	return c.key()
}

// drain takes all items of a key that are left, until there is none.
func (c *randomClient) drain(key int) {
	for more := true; more; {
		op := history.Op{Verb: history.Take, Pattern: history.Pattern{Key: key}, Max: 10}
		c.Record(op, func(op *history.Op) {
			found, err := space.TakeAll(c.tb.Context(), c.sp, random.Example(op.Pattern), op.Max, space.NoWait())
			op.Outcome, op.Items = c.Outcome(err), random.Plain(found)
			more = op.Outcome != history.None
		})
	}
}

// Record implements random.World.
func (c *randomClient) Record(op history.Op, call func(op *history.Op)) { c.log.Do(op, call) }

// Context implements random.World.
func (c *randomClient) Context() (context.Context, context.CancelFunc) {
	return c.tb.Context(), func() {}
}

// Space implements random.World.
func (c *randomClient) Space(int) space.Space { return c.sp }

// Number implements random.World.
func (c *randomClient) Number() int { return int(c.last.Add(1)) }

// Lease implements random.World. The lease may be one that ends during the run.
func (c *randomClient) Lease() time.Duration {
	if c.Rng.IntN(6) == 0 {
		return random.UpTo(c.Rng, 30*time.Millisecond)
	}
	return space.Forever
}

// Pad implements random.World.
func (c *randomClient) Pad() string { return "" }

// Outcome implements random.World.
func (c *randomClient) Outcome(err error) history.Outcome {
	outcome, expected := random.Outcome(err)
	if !expected && !(c.unsteady && errors.Is(err, space.ErrUnavailable)) {
		c.tb.Errorf("unexpected: %v", err)
	}
	return outcome
}
