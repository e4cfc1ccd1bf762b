package client

import (
	"cmp"
	"context"
	"fmt"

	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// errGone is the reason when the space no longer knows a transaction after the client has reconnected.
var errGone = fmt.Errorf(
	"%w: the space does not know it any more: the server was restarted, or its lease is over", space.ErrTxnEnded)

// handleTxnLost tells the holder of a transaction that it has ended.
func (l *link) handleTxnLost(f wire.Frame) error {
	d := wire.NewDecoder(f.Body)
	handle := d.Uvarint()
	why := d.Error()
	l.mu.Lock()
	var s *part
	if v := l.session.at(handle); v != nil {
		s = v.part
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
func (c *pendingCall) under() txn.ID {
	if !c.txn.IsZero() {
		return c.txn
	}
	return c.query.Txn
}

// dooms reports whether the transaction of c must not continue if the outcome of c is lost.
func (c *pendingCall) dooms() bool {
	switch c.op {
	case wire.Commit, wire.Abort:
		return false
	}
	return !c.under().IsZero() && !c.repeatable()
}

// errDoomed is the reason when a call of the transaction was lost.
var errDoomed = fmt.Errorf("%w: the connection was lost during a call under it", space.ErrTxnEnded)

// A call that is lost with its session may have left something behind that survives a restart: a transaction with its
// takes. It is ended before the caller is told, or repeats the call: a caller that knows that a transaction has ended
// finds its locks released.

// begins reports whether c begins transactions.
func (c *pendingCall) begins() bool { return c.query.Begin || c.op == wire.BeginTxn }

// cleanUpLocked ends what c, whose answer is lost, may have left behind. c.gone is closed when that is done.
func (l *link) cleanUpLocked(c *pendingCall) {
	switch {
	case c.begins():
		c.gone = l.unclaimedLocked(c.part, c.number)
	case c.dooms():
		c.gone = l.doomLocked(c)
	}
}

// doomLocked aborts the transaction of c, and then tells its holder.
func (l *link) doomLocked(c *pendingCall) (gone chan struct{}) {
	gone = make(chan struct{})
	id, in := c.under(), c.part
	l.life.start(func() {
		defer close(gone)
		s := in.homeOf(id)
		via := cmp.Or(s.beganOn(id), l.lane)
		t := s.txns.Remove(id.Number)
		l.abortSurely(s, id, via)
		if t != nil {
			t.Lose(errDoomed)
		}
	})
	return gone
}

// abortSurely aborts a transaction over the lane on which it began, however long that takes. It returns early
// only if the link is closed, which ends what the client has begun.
func (l *link) abortSurely(s *part, id txn.ID, via *lane) {
	ctx, cancel := l.life.context()
	defer cancel()
	for pauses := l.cfg.backoff(); ; {
		err := s.abortOver(ctx, via, id)
		if err == nil || !passes(err) || pauses.Wait(ctx) != nil {
			return
		}
		l.cfg.Logger.Info("cannot abort a transaction yet", "transaction", id, "error", err)
	}
}

func (s *part) abortOver(ctx context.Context, via *lane, id txn.ID) error {
	c := newCall(s, wire.Abort)
	defer c.free()
	c.lane, c.posthumous, c.txn = via, true, id
	return s.client.do(ctx, c)
}

// unclaimed is a call whose answer is lost and that may have begun transactions: no caller has them, but they may
// survive a restart.
type unclaimed struct {
	part *part
	gone chan struct{} // closed when they have ended
}

// unclaimedLocked records such a call. Its transactions are ended when the space is opened again, which lists the open
// ones.
func (l *link) unclaimedLocked(s *part, number uint64) (gone chan struct{}) {
	u := unclaimed{s, make(chan struct{})}
	l.calls.addUnclaimed(number, u)
	return u.gone
}

// endUnclaimedLocked aborts those of a space's open transactions that were begun by lost calls.
func (l *link) endUnclaimedLocked(s *part, open []wire.OpenTxn) {
	for number, u := range l.calls.unclaimed {
		if u.part != s {
			continue
		}
		delete(l.calls.unclaimed, number)
		l.life.start(func() {
			defer close(u.gone)
			for _, t := range open {
				if t.Call == number {
					l.abortSurely(s, txn.ID{Space: s.at.Space, Number: t.Number}, l.lane)
				}
			}
		})
	}
}

// reopenLocked starts opening the spaces in which transactions are or may be open, so that their holders learn at once
// which of them have ended.
func (l *link) reopenLocked() {
	if !l.session.reopening {
		l.session.reopening = l.life.start(l.reopen)
	}
}

func (l *link) reopen() {
	ctx, cancel := l.life.context()
	defer cancel()
	pauses := l.cfg.backoff()
	for spaces := l.toReopen(); len(spaces) > 0; spaces = l.toReopen() {
		failed := false
		for _, s := range spaces {
			err := l.client.followed(ctx, s, l.node, s.open(ctx, l, newCall(s, wire.Open)))
			if err != nil && err != errLost && err != errAstray {
				l.cfg.Logger.Info("cannot open a space yet", "space", s.at, "error", err)
				failed = true
			}
		}
		if failed && pauses.Wait(ctx) != nil {
			return
		}
	}
}

// toReopen returns the spaces for reopen to open. If there are none, reopen ends.
func (l *link) toReopen() (spaces []*part) {
	all := l.client.allParts()
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := map[*part]bool{}
	for _, u := range l.calls.unclaimed {
		lost[u.part] = true
	}
	for _, s := range all {
		here := s.place.Load().node == l.node && !s.isClosed()
		if here && (lost[s] || s.txns.Any(l.lane) && !l.session.view(s).open) {
			spaces = append(spaces, s)
		}
	}
	l.session.reopening = len(spaces) > 0
	return spaces
}

func numbersOf(txns []wire.OpenTxn) []uint64 {
	numbers := make([]uint64, len(txns))
	for i, t := range txns {
		numbers[i] = t.Number
	}
	return numbers
}
