package server

import (
	"cmp"
	"context"
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/txn"
)

// by identifies a call to the partition, so that its outcome is kept until the client has it.
func (c *caller) by(callID uint64) call.Request {
	if c.session == 0 {
		return call.Request{} // the client does not repeat calls
	}
	return call.Request{Session: c.session, Number: callID}
}

// byAlone is by for a call that may be made under a transaction: of such calls no outcome is kept.
func (c *caller) byAlone(under txn.ID, callID uint64) call.Request {
	if !under.IsZero() {
		return call.Request{}
	}
	return c.by(callID)
}

// opRecalled marks the tag of a call that is told the outcome it has had.
const opRecalled wire.Type = 1 << 7

// handleRepeat serves a call that the client has made before, in a session that is gone: with the outcome that it has
// had or, if it had none, as what it is.
func (s *session) handleRepeat(f wire.Frame) error {
	d := wire.NewDecoder(f.Body)
	op, ask := d.Repeated()
	body := d.Rest()
	f.Type, f.Body = op, body
	d = wire.NewDecoder(body)
	c := s.caller(d.Uvarint())
	if c == nil || c.session == 0 && !c.nowhere || !wire.Repeats(op) {
		return s.fail(f.ID, fmt.Errorf("%w: it cannot be repeated", call.ErrOutcomeUnknown))
	}
	if c.stale.Load() {
		return s.fail(f.ID, fmt.Errorf("%w: the space is to be opened again", wire.ErrInDoubt))
	}
	if c.nowhere && !ask { // nothing was executed: the client knows of no space
		return s.handleSpace(f)
	}
	s.join(c.p)
	had, err := c.p.Recall(c, tag(op|opRecalled, f.ID), c.by(f.ID))
	switch {
	case err != nil:
		return s.fail(f.ID, fmt.Errorf("%w: %v", wire.ErrInDoubt, err))
	case had && op == wire.Notify:
		c.listenAgain(d)
		return nil
	case had:
		return nil
	case ask:
		return s.fail(f.ID, call.ErrCancelled)
	case op == wire.Commit && c.home(d.Txn()).Space != "":
		return s.fail(f.ID,
			fmt.Errorf("%w: the space where the transaction began keeps no outcomes for this one", call.ErrOutcomeUnknown))
	}
	return s.handleSpace(f)
}

// handleOutcome tells what has become of a call on the partition or, if the session is 0, of a transaction, perhaps one
// that has begun elsewhere.
func (s *session) handleOutcome(c *caller, callID uint64, d wire.Decoder) error {
	session, id := d.Uvarint(), d.Txn()
	if err := d.Err(); err != nil {
		return s.refuse(callID, err)
	}
	if session != 0 {
		return s.handleCallFate(c, callID, session, id)
	}
	switch id = c.home(id); {
	case id.IsZero():
		return s.refuse(callID, errNoTxn)
	case id.Space == "":
		c.p.TxnFate(c, tag(wire.Outcome, callID), id.Number)
		return nil
	}
	return s.apart(callID, func(ctx context.Context) error {
		fate, err := s.srv.cfg.Spans.Fate(ctx, id)
		if err == nil {
			c.Reply(tag(wire.Outcome, callID), &call.Result{Fate: fate}, 0, true)
		}
		return err
	})
}

// handleCallFate tells what has become of a call of some client's session, which has to be one with the partition.
func (s *session) handleCallFate(c *caller, callID, session uint64, id txn.ID) error {
	made := txn.Address{Space: cmp.Or(id.Space, c.at.Space), Partition: txn.PartitionOf(session)}
	switch {
	case id.Number == 0:
		return s.refuse(callID, errNoTxn)
	case made != c.at:
		return s.fail(callID, fmt.Errorf("%w: the call was made in %v: ask there", call.ErrInvalidArgument, made))
	}
	c.p.CallFate(c, tag(wire.Outcome, callID), call.Request{Session: session, Number: id.Number})
	return nil
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
		c.p.Attach(newListener(c, window, registration, seq), tag(opRevive, 0), registration, seq)
	}
}

// receipts tell how far the client has received the outcomes of a space. They cost nothing per call: what is durable is
// known by its LSN, and that everything up to some LSN has gone out is noted now and then, with the position in the
// session's stream.
type receipts struct {
	durable  partition.LSN // the last that Durable was called with
	released partition.LSN // outcomes up to here are in the stream
	mark     partition.LSN // 0, or outcomes up to here are in the stream before position at
	at       uint64
	noted    partition.LSN // the last mark there was
}

// durableUpTo notes that outcomes up to lsn are being released. Other outlets of the same session may not have been
// told yet, but have been told what was durable the last time.
func (r *receipts) durableUpTo(lsn partition.LSN) {
	if lsn > r.durable {
		r.released, r.durable = r.durable, lsn
	}
}

// received returns the LSN up to which the client has all outcomes, if it is known to have more than before, and
// otherwise 0. The client has received the stream up to pos; so far it ends at end.
func (r *receipts) received(pos, end uint64) (lsn partition.LSN) {
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
		var lsn partition.LSN
		s.mu.Lock()
		if !s.leaving && s.spans == 0 { // a span's answer comes only some time after its outcome is durable
			lsn = c.receipts.received(pos, s.out.End())
		}
		s.mu.Unlock()
		if lsn != 0 {
			c.p.Received(c.session, lsn)
		}
	}
}
