package server

import (
	"errors"
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
)

// by identifies a call to the partition, so that its outcome is kept until the client has it.
func (c *caller) by(number uint64) call.Request {
	if c.session == 0 {
		return call.Request{} // the client does not repeat calls
	}
	return call.Request{Session: c.session, Number: number}
}

// sign puts the request of the caller into a call, if the partition is to keep its outcome. No outcome is kept of calls
// under a transaction.
func (c *caller) sign(op *wire.Op, number uint64, a *call.Ask) {
	switch {
	case !op.Signed():
	case op.HasQuery():
		if q := a.Query; q.Txn.IsZero() && (q.Take || !op.Lasts()) {
			q.By = c.by(number)
		}
	case a.Txn.IsZero(), op.OfTxn() && a.Txn.Space == "": // another partition does not know the session with this one
		a.By = c.by(number)
	}
}

// opRecalled marks the tag of a call that receives its earlier outcome.
const opRecalled wire.Type = 1 << 7

// handleRepeat serves a call that the client has made before, in a session that is gone: with its earlier outcome or,
// if it had none, as a new call.
func (s *session) handleRepeat(f wire.Frame) error {
	d := wire.NewDecoder(f.Body)
	t, ask, number := d.Repeated()
	body := d.Rest()
	f.Type, f.Body = t, body
	d = wire.NewDecoder(body)
	c, op := s.caller(d.Uvarint()), wire.OpOf(t)
	if op == nil || !op.Recorded() || number == 0 || c == nil || c.session == 0 && !c.absent {
		return s.fail(f.ID, fmt.Errorf("%w: it cannot be repeated", call.ErrOutcomeUnknown))
	}
	if c.stale.Load() {
		return s.fail(f.ID, errAskAgain)
	}
	if c.absent && !ask { // it was not executed: the client knows of no space
		return s.handleCall(op, f, number)
	}
	s.join(c.host)
	had, err := c.host.Recall(c, tag(t|opRecalled, f.ID), c.by(number))
	switch {
	case errors.Is(err, call.ErrLogLost):
		return s.fail(f.ID, fmt.Errorf("%w: %v", call.ErrOutcomeUnknown, err))
	case err != nil:
		return s.fail(f.ID, fmt.Errorf("%w: %v", wire.ErrInDoubt, err))
	case had && t == wire.Notify:
		c.listenAgain(d)
		return nil
	case had:
		return nil
	case ask:
		return s.fail(f.ID, call.ErrCancelled)
	case t == wire.Commit && c.home(d.Txn()).Space != "":
		return s.fail(f.ID,
			fmt.Errorf("%w: the space where the transaction began keeps no outcomes for this one", call.ErrOutcomeUnknown))
	}
	return s.handleCall(op, f, number)
}

// listenAgain makes the session the listener of the registration that a repeated Notify has made; d is at what follows
// the handle.
func (c *caller) listenAgain(d wire.Decoder) {
	_, window := d.Lease(), d.Uvarint()
	c.s.mu.Lock()
	registration, seq := c.recalled.ID, c.recalledSeq
	c.recalled, c.recalledSeq = call.Grant{}, 0
	c.s.mu.Unlock()
	if registration != 0 {
		c.attach(newListener(c, window, registration, seq), tag(opRevive, 0))
	}
}

// receipts tracks how far the client has received the outcomes of a space. It costs nothing per call: LSNs tell what is
// durable, and from time to time the LSN up to which everything has gone out is noted with the position in the
// session's stream.
type receipts struct {
	durable  call.LSN // the argument of the last call of Durable
	released call.LSN // outcomes up to here are in the stream
	mark     call.LSN // if not 0, outcomes up to here are in the stream before position at
	at       uint64
	noted    call.LSN // the last mark
}

// durableUpTo notes that outcomes up to lsn are being released. Other outlets of the same session may not have been
// told yet, but have been told what was durable the last time.
func (r *receipts) durableUpTo(lsn call.LSN) {
	if lsn > r.durable {
		r.released, r.durable = r.durable, lsn
	}
}

// received returns the LSN up to which the client has all outcomes, if it is known to have more than before, and
// otherwise 0. The client has received the stream up to pos; so far it ends at end.
func (r *receipts) received(pos, end uint64) (lsn call.LSN) {
	if r.mark != 0 && pos >= r.at {
		lsn, r.mark = r.mark, 0
	}
	if r.mark == 0 && r.released > r.noted {
		r.mark, r.noted, r.at = r.released, r.released, end
	}
	return lsn
}

// forgetReceived makes the partitions forget the outcomes that the client has, now that it has received the stream up
// to pos. When the session is being given up, perhaps because a log has failed, the client may still have to ask for
// some that were never in the stream.
func (s *session) forgetReceived(pos uint64) {
	for _, c := range s.callers {
		if c == nil || c.session == 0 || c.stale.Load() {
			continue
		}
		var lsn call.LSN
		s.mu.Lock()
		if s.life.state == attached && s.spans == 0 { // the answer to a span comes some time after its outcome is durable
			lsn = c.receipts.received(pos, s.out.End())
		}
		s.mu.Unlock()
		if lsn != 0 {
			c.host.Received(c.session, lsn)
		}
	}
}
