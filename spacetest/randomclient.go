package spacetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest/history"
)

// randomClient is one caller of a random run. It belongs to one goroutine.
type randomClient struct {
	*randomRun
	sp     space.Space
	log    *history.Log
	rng    *rand.Rand
	leases []leased
	seen   []seen
}

// leased is an item that the client has written.
type leased struct {
	lease *space.Lease
	item  history.Item
}

// seen is an item that the client has read, as it was.
type seen struct {
	id      space.LeaseID
	version uint32
	item    history.Item
}

// call makes one random call.
func (c *randomClient) call() {
	if c.rng.IntN(100) < c.workload.txns {
		c.transaction()
		return
	}
	none := &randomTxn{randomClient: c}
	if c.rng.IntN(100) < c.updates {
		none.find(history.Read, 2)
		none.update(&c.seen)
		return
	}
	switch n := c.rng.IntN(100); {
	case n < 32:
		none.write(1)
	case n < 37:
		none.write(1 + c.rng.IntN(4))
	case n < 65:
		none.find(history.Take, 1)
	case n < 72:
		none.find(history.Take, 1+c.rng.IntN(4))
	case n < 87:
		none.find(history.Read, 1+c.rng.IntN(2))
	case n < 90:
		none.count()
	default:
		c.cancel()
	}
}

// key returns a random key.
func (c *randomClient) key() int { return 1 + c.rng.IntN(c.keys) }

func (c *randomClient) cancel() {
	if len(c.leases) == 0 {
		return
	}
	l := c.leases[c.rng.IntN(len(c.leases))]
	c.log.Do(history.Op{Verb: history.Cancel, Items: []history.Item{l.item}}, func(op *history.Op) {
		op.Outcome = c.outcome(l.lease.Cancel(c.tb.Context()))
	})
}

// drain takes all items of a key that are left, until there is none.
func (c *randomClient) drain(key int) {
	for more := true; more; {
		op := history.Op{Verb: history.Take, Pattern: history.Pattern{Key: key}, Max: 10}
		c.log.Do(op, func(op *history.Op) {
			found, err := space.TakeAll(c.tb.Context(), c.sp, example(op.Pattern), op.Max, space.NoWait())
			op.Outcome = c.outcome(err)
			for _, v := range found {
				op.Items = append(op.Items, history.Item(v))
			}
			more = op.Outcome != history.None
		})
	}
}

// lease returns a lease, which may be one that ends during the run.
func (c *randomClient) lease() time.Duration {
	if c.rng.IntN(6) == 0 {
		return time.Duration(1+c.rng.IntN(30)) * time.Millisecond
	}
	return space.Forever
}

// outcome says what the error of a call means for the history.
func (c *randomClient) outcome(err error) history.Outcome {
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
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return history.Refused
	case c.unsteady && errors.Is(err, space.ErrUnavailable):
		return history.Refused
	}
	c.tb.Errorf("unexpected: %v", err)
	return history.Refused
}
