package random

import (
	"math/rand/v2"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest/history"
)

// Caller is one caller of a run. It belongs to one goroutine.
type Caller struct {
	World
	Rng     *rand.Rand
	Colors  int
	Wait    time.Duration // the longest wait of a read or take
	Rest    time.Duration // the longest pause of a transaction
	leases  []leased
	outside []seen // found outside transactions
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
	item    Item
}

// Call makes a random call of none, which is not part of a transaction.
func (c *Caller) Call(none *Txn) {
	switch n := c.Rng.IntN(100); {
	case n < 35:
		none.Write(1 + c.Rng.IntN(4)*c.Rng.IntN(2))
	case n < 70:
		none.Find(history.Take, 1+c.Rng.IntN(4)*c.Rng.IntN(2))
	case n < 87:
		none.Find(history.Read, 1+c.Rng.IntN(3))
	case n < 91:
		none.Count()
	default:
		c.cancel()
	}
}

// cancel cancels the lease of an item that the caller has written.
func (c *Caller) cancel() {
	if len(c.leases) == 0 {
		return
	}
	l := c.leases[c.Rng.IntN(len(c.leases))]
	c.Record(history.Op{Verb: history.Cancel, Items: []history.Item{l.item}}, func(op *history.Op) {
		ctx, cancel := c.Context()
		defer cancel()
		op.Outcome = c.Outcome(l.lease.Cancel(ctx))
	})
}

// latest returns at most n of the last elements of s.
func latest[T any](s []T, n int) []T { return s[max(0, len(s)-n):] }
