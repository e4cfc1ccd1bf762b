package client

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

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
		if t := s.txns.Remove(f.ID); t != nil {
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
	if t := d.space.txns.Remove(d.id.Number); t != nil {
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
		if s.txns.Any(l) || slices.Contains(unclaimed, s) {
			spaces = append(spaces, s)
		}
	}
	return spaces
}

func numbersOf(txns []wire.OpenTxn) []uint64 {
	numbers := make([]uint64, len(txns))
	for i, t := range txns {
		numbers[i] = t.Number
	}
	return numbers
}
