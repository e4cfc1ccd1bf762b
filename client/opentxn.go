package client

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// openTxns are the transactions that a Client has begun in a space, and that have not ended as far as it knows: their holders are told when it
// turns out that they have. Its zero value is ready.
type openTxns struct {
	mu       sync.Mutex
	byNumber map[uint64]openTxn // guarded by mu
	sweepAt  int                // guarded by mu; how many there are when it is time to look for those whose leases are over
}

// openTxn is a transaction, and the connection to whose session it belongs.
type openTxn struct {
	txn  *space.Txn
	link *link
}

// minSweep is the number of transactions up to which it does not matter if some have ended.
const minSweep = 1 << 10

// add notes that a transaction has begun.
func (o *openTxns) add(t *space.Txn, l *link) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byNumber == nil {
		o.byNumber, o.sweepAt = map[uint64]openTxn{}, minSweep
	}
	if len(o.byNumber) >= o.sweepAt {
		for number, x := range o.byNumber {
			if x.txn.Lease().Remaining() <= 0 {
				delete(o.byNumber, number)
			}
		}
		o.sweepAt = max(minSweep, 2*len(o.byNumber))
	}
	o.byNumber[t.ID().Number] = openTxn{t, l}
}

// remove notes that a transaction has ended, or is about to be told.
func (o *openTxns) remove(number uint64) *space.Txn {
	o.mu.Lock()
	defer o.mu.Unlock()
	x := o.byNumber[number]
	delete(o.byNumber, number)
	return x.txn
}

// missing removes and returns those of the session of a connection that are not among the ones that are open.
func (o *openTxns) missing(l *link, open []wire.OpenTxn) (gone []*space.Txn) {
	still := make(map[uint64]bool, len(open))
	for _, t := range open {
		still[t.Number] = true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for number, x := range o.byNumber {
		if x.link == l && !still[number] {
			gone = append(gone, x.txn)
			delete(o.byNumber, number)
		}
	}
	return gone
}

// any reports whether there are some that belong to the session of a connection.
func (o *openTxns) any(l *link) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, x := range o.byNumber {
		if x.link == l {
			return true
		}
	}
	return false
}

// errGone is why a transaction has ended that its space does not know any more when the client is back.
var errGone = fmt.Errorf("%w: the space does not know it any more: the server was restarted, or its lease is over", space.ErrTxnEnded)

// handleTxnLost tells the holder of a transaction that it has ended.
func (l *link) handleTxnLost(f wire.Frame) error {
	d := wire.NewDecoder(f.Body)
	handle := d.Uvarint()
	why := d.Error()
	l.mu.Lock()
	var s *Space
	if handle < uint64(len(l.views)) {
		s = l.views[handle].space
	}
	l.mu.Unlock()
	if s != nil {
		if t := s.txns.remove(f.ID); t != nil {
			t.Lose(why)
		}
	}
	return nil
}

// doomedTxn is a transaction under which a call was made whose outcome is lost with its session. The space may have executed the call, and outlast a
// restart with that: so the transaction must not be committed.
type doomedTxn struct {
	space *Space
	id    txn.ID
}

// under returns the transaction under which c is made, or the zero ID.
func (c *call) under() txn.ID {
	if !c.txn.IsZero() {
		return c.txn
	}
	return c.query.Txn
}

// dooms reports whether the transaction under which c is made must not go on if c has lost its outcome.
func (c *call) dooms() bool {
	switch c.op {
	case wire.Commit, wire.Abort:
		return false
	}
	return !c.under().IsZero() && !c.repeatable()
}

// errDoomed is why a transaction has ended of which a call was lost.
var errDoomed = fmt.Errorf("%w: the connection was lost during a call under it", space.ErrTxnEnded)

// doomLocked tells the holder of the transaction under which c was made that it has ended, before anybody hears of c, and has it aborted when there
// is a connection.
func (l *link) doomLocked(c *call) {
	d := doomedTxn{c.space, c.under()}
	if d.id.Space != "" {
		d.space = l.client.SpaceNamed(d.id.Space)
	}
	if t := d.space.txns.remove(d.id.Number); t != nil {
		t.Lose(errDoomed)
	}
	l.doomed = append(l.doomed, d)
}

// unclaimedLocked notes that a call was lost that may have begun transactions: nobody has them, but they may outlast a restart.
func (l *link) unclaimedLocked(s *Space, number uint64) {
	if l.unclaimed == nil {
		l.unclaimed = map[uint64]*Space{}
	}
	l.unclaimed[number] = s
}

// doomUnclaimedLocked has the transactions of a space aborted that were begun by calls which were lost.
func (l *link) doomUnclaimedLocked(s *Space, open []wire.OpenTxn) {
	for _, t := range open {
		if l.unclaimed[t.Call] == s {
			l.doomed = append(l.doomed, doomedTxn{s, txn.ID{Space: s.name, Number: t.Number}})
		}
	}
	maps.DeleteFunc(l.unclaimed, func(_ uint64, of *Space) bool { return of == s })
}

// abortDoomed aborts the transactions that are doomed.
func (l *link) abortDoomed(ctx context.Context) {
	l.mu.Lock()
	doomed := l.doomed
	l.doomed = nil
	l.mu.Unlock()
	for _, d := range doomed {
		_ = d.space.Abort(ctx, d.id) // if that fails it ends with its lease
	}
}

// reopen opens the spaces in which transactions are open, now that the session is a new one: so their holders learn at once which of them have
// ended. It gives up when the session is lost again.
func (l *link) reopen() {
	ctx, cancel := l.context()
	defer cancel()
	l.abortDoomed(ctx)
	for _, s := range l.spacesWithTxns() {
		for wait := l.cfg.MinBackoff; !s.isClosed(); wait = min(2*wait, l.cfg.MaxBackoff) {
			err := s.open(ctx, l, newCall(s, wire.Open))
			if err == nil || err == errLost || ctx.Err() != nil {
				break
			}
			l.cfg.Logger.Info("cannot open a space yet", "space", s.name, "error", err)
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		}
	}
	l.abortDoomed(ctx)
}

func (l *link) spacesWithTxns() (spaces []*Space) {
	l.mu.Lock()
	unclaimed := slices.Collect(maps.Values(l.unclaimed))
	l.mu.Unlock()
	for _, s := range l.client.allSpaces() {
		if s.txns.any(l) || slices.Contains(unclaimed, s) {
			spaces = append(spaces, s)
		}
	}
	return spaces
}
