package client

import (
	"context"
	"fmt"
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

// A call that is lost with its session may have left something behind that outlasts a restart: a transaction with what it has taken. It is ended before
// the caller hears of it, or makes the call again: who knows that a transaction has ended finds its locks gone.

// begins reports whether c begins transactions.
func (c *call) begins() bool { return c.query.Begin || c.op == wire.BeginTxn }

// cleanUpLocked has ended what c, which was lost, may have left behind. c.gone tells when that is done.
func (l *link) cleanUpLocked(c *call) {
	switch {
	case c.begins():
		c.gone = l.unclaimedLocked(c.space, c.number)
	case c.dooms():
		c.gone = l.doomLocked(c)
	}
}

// awaitGone waits until what c, which was lost, may have left behind is gone. It returns an error if it stops waiting before.
func (c *call) awaitGone(ctx context.Context, l *link) error {
	if c.gone == nil {
		return nil
	}
	return l.awaitChange(ctx, c, c.gone)
}

// doomLocked has the transaction aborted under which c was made, and then its holder told.
func (l *link) doomLocked(c *call) (gone chan struct{}) {
	gone = make(chan struct{})
	s, id := c.space, c.under()
	if id.Space != "" {
		s = l.client.SpaceNamed(id.Space)
	}
	l.goLocked(func() {
		defer close(gone)
		ctx, cancel := l.context()
		defer cancel()
		t := s.txns.Remove(id.Number)
		l.abortSurely(ctx, s, id)
		if t != nil {
			t.Lose(errDoomed)
		}
	})
	return gone
}

// abortSurely aborts a transaction, however long that takes.
func (l *link) abortSurely(ctx context.Context, s *Space, id txn.ID) {
	l.insist(ctx, s, "cannot abort a transaction yet", func() (again bool, err error) {
		err = s.Abort(ctx, id)
		return err != nil && passes(err), err
	})
}

// insist calls f until it does not ask for that again, the link or s is closed.
func (l *link) insist(ctx context.Context, s *Space, failure string, f func() (again bool, err error)) {
	for wait := l.cfg.MinBackoff; !s.isClosed(); wait = min(2*wait, l.cfg.MaxBackoff) {
		again, err := f()
		if !again || ctx.Err() != nil {
			return
		}
		l.cfg.Logger.Info(failure, "space", s.name, "error", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// unclaimed is a call that was lost and may have begun transactions: nobody has them, but they may outlast a restart.
type unclaimed struct {
	space *Space
	gone  chan struct{} // closed when they have ended
}

func (l *link) unclaimedLocked(s *Space, number uint64) (gone chan struct{}) {
	if l.unclaimed == nil {
		l.unclaimed = map[uint64]unclaimed{}
	}
	u := unclaimed{s, make(chan struct{})}
	l.unclaimed[number] = u
	return u.gone
}

// endUnclaimedLocked has the transactions of a space aborted that were begun by calls which were lost.
func (l *link) endUnclaimedLocked(s *Space, open []wire.OpenTxn) {
	for number, u := range l.unclaimed {
		if u.space != s {
			continue
		}
		delete(l.unclaimed, number)
		l.goLocked(func() {
			defer close(u.gone)
			ctx, cancel := l.context()
			defer cancel()
			for _, t := range open {
				if t.Call == number {
					l.abortSurely(ctx, s, txn.ID{Space: s.name, Number: t.Number})
				}
			}
		})
	}
}

// hasUnclaimed reports whether calls in s were lost that may have begun transactions.
func (l *link) hasUnclaimed(s *Space) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, u := range l.unclaimed {
		if u.space == s {
			return true
		}
	}
	return false
}

// reopen opens the spaces in which transactions are or may be open, now that the session is a new one: so their holders learn at once which of them
// have ended. It gives up when the session is lost again.
func (l *link) reopen() {
	ctx, cancel := l.context()
	defer cancel()
	for _, s := range l.client.allSpaces() {
		if !s.txns.Any(l) && !l.hasUnclaimed(s) {
			continue
		}
		l.insist(ctx, s, "cannot open a space yet", func() (again bool, err error) {
			err = s.open(ctx, l, newCall(s, wire.Open))
			return err != errLost && (err != nil || l.hasUnclaimed(s)), err
		})
	}
}

func numbersOf(txns []wire.OpenTxn) []uint64 {
	numbers := make([]uint64, len(txns))
	for i, t := range txns {
		numbers[i] = t.Number
	}
	return numbers
}
