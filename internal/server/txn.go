package server

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/txn"
)

// home returns id as the partition takes it: without a space if it began in the partition itself, else with one.
func (c *caller) home(id txn.ID) txn.ID {
	switch here := id.Number == 0 || txn.PartitionOf(id.Number) == c.at.Partition; {
	case here && id.Space == c.at.Space:
		id.Space = ""
	case !here && id.Space == "":
		id.Space = c.at.Space
	}
	return id
}

var errNoTxn = errors.New("no transaction is named")

// beginTxn passes on a Begin.
func (c *caller) beginTxn(callID uint64, a *call.Ask) error {
	c.s.mu.Lock()
	err := c.roomForTxnLocked()
	c.s.mu.Unlock()
	if err != nil {
		return c.s.fail(callID, err)
	}
	a.Holder = c.s.holder
	c.host.Do(c, tag(wire.BeginTxn, callID), a)
	return nil
}

// endTxn passes on a Commit, an Abort or a Rollback.
func (c *caller) endTxn(callID uint64, a *call.Ask) error {
	op := wire.Type(a.Op)
	if op != wire.Rollback {
		c.ending(callID, a.Txn)
	}
	span{c, op, callID, a.By}.finish(c.host.Do(c, tag(op, callID), a))
	c.s.tidy()
	return nil
}

// outcome passes on an Outcome.
func (c *caller) outcome(callID uint64, a *call.Ask) error {
	if a.Txn.Number == 0 {
		return c.s.refuse(callID, errNoTxn)
	}
	if a.Session == 0 {
		a.Txn = c.home(a.Txn)
	} else if a.Txn.Space == c.at.Space {
		a.Txn.Space = ""
	}
	span{c: c, op: wire.Outcome, callID: callID}.finish(c.host.Do(c, tag(wire.Outcome, callID), a))
	return nil
}

// openTxns are the transactions of a space that a session has begun and that are open as far as it knows. They are
// aborted when it ends. The session's lock guards it.
type openTxns struct {
	ends    map[uint64]time.Time // by number: when their leases end
	ending  map[uint64]uint64    // transactions that calls in progress commit or abort, by call
	sweepAt int                  // the number of transactions at which those that have ended by themselves are forgotten
}

// minSweep is the number of transactions up to which it does not matter if some have ended.
const minSweep = 1 << 10

// roomForTxnLocked returns an error if the client may begin no more transactions in the space of c.
func (c *caller) roomForTxnLocked() error {
	limit := c.s.srv.cfg.Client.Txns
	if limit >= 0 && len(c.txns.ends) >= limit {
		c.txns.sweep(time.Now())
	}
	return tooMany(len(c.txns.ends), limit, "open transactions", "max-client-txns")
}

// sweep forgets the transactions that have ended by themselves.
func (o *openTxns) sweep(now time.Time) {
	for n, end := range o.ends {
		if end.Before(now) {
			delete(o.ends, n)
		}
	}
}

// add notes a transaction that has begun.
func (o *openTxns) add(number uint64, lease int64) {
	if o.ends == nil {
		o.ends, o.ending, o.sweepAt = map[uint64]time.Time{}, map[uint64]uint64{}, minSweep
	}
	now := time.Now()
	if len(o.ends) >= o.sweepAt {
		o.sweep(now)
		o.sweepAt = max(minSweep, 2*len(o.ends))
	}
	o.ends[number] = now.Add(time.Duration(min(lease, int64(maxLease))))
}

// maxLease is far beyond the life of any session, and can be added to any time.
const maxLease = 100 * 365 * 24 * time.Hour

// adoptTxns makes the transactions of an earlier session of the client those of this one.
func (c *caller) adoptTxns(open []call.OpenTxn) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for _, t := range open {
		c.txns.add(t.Number, int64(maxLease))
	}
}

// TxnLost implements call.Holder.
func (c *caller) TxnLost(number uint64, why error, lsn call.LSN, durable bool) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	delete(c.txns.ends, number)
	if c.stale.Load() {
		return // the client learns which are open when it opens the space again
	}
	buf := c.bufferLocked(durable)
	start := len(buf)
	buf = wire.AppendError(binary.AppendUvarint(wire.Begin(buf, wire.TxnLost, number), c.handle), why)
	c.emitLocked(wire.End(buf, start), lsn, durable)
}

// renewed notes that the leases of those that are transactions end at other times.
func (o *openTxns) renewed(gs []call.Grant) {
	for _, g := range gs {
		if _, ok := o.ends[g.ID]; ok {
			o.ends[g.ID] = time.Now().Add(time.Duration(min(g.Granted, int64(maxLease))))
		}
	}
}

// settle notes the outcome of a call that commits or aborts a transaction.
func (o *openTxns) settle(callID uint64, err error) {
	number, ok := o.ending[callID]
	if !ok {
		return
	}
	delete(o.ending, callID)
	if err == nil || errors.Is(err, call.ErrTxnEnded) {
		delete(o.ends, number)
	}
}

// ending notes that a call is about to commit or abort a transaction, if it is one that the session has begun.
func (c *caller) ending(callID uint64, id txn.ID) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if _, mine := c.txns.ends[id.Number]; mine && id.Space == "" {
		c.txns.ending[callID] = id.Number
	}
}

// abortTxns aborts the transactions of a session that has ended, by a goodbye or because its client is gone. A client
// that was asked to go away comes back and goes on with them: then it reports that some are left.
func (c *caller) abortTxns() (left bool) {
	c.s.mu.Lock()
	open := c.txns.ends
	for _, number := range c.txns.ending {
		delete(open, number) // it is being committed
	}
	c.txns = openTxns{}
	goodbye, back := c.s.life.goodbye, c.s.life.askedAway && c.session != 0
	c.s.mu.Unlock()
	if back {
		return len(open) > 0
	}
	for number := range open {
		c.host.LoseTxn(number, goodbye)
	}
	return false
}
