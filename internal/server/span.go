package server

import (
	"errors"
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/txn"
)

// under returns id as the space's partition takes it, for a call to be made under it: if the transaction began in
// another space, it has a branch in this one from now on. It waits for the log of that space at most. It returns
// call.ErrTxnEnded, and call.ErrInvalidArgument if that other space does not exist.
func (c *caller) under(id txn.ID) (txn.ID, error) {
	id = c.home(id)
	if id.Space == "" {
		return id, nil
	}
	if c.nowhere {
		return id, c.create()
	}
	spans := c.s.srv.cfg.Spans
	if err := spans.Join(id, c.p); err != nil {
		return id, err
	}
	wait := spans.Joined(id)
	if wait == nil {
		return id, nil
	}
	c.s.pause() // others go on
	err := wait(c.s.srv.ctx)
	c.s.setReading(true)
	return id, err
}

// span is the rest of a call about a transaction over several partitions.
type span struct {
	c      *caller
	op     wire.Type
	callID uint64
	by     call.Request // zero: no outcome is kept
}

// finish does what is left of a call, if anything is, and answers it. That waits for logs, so it has a goroutine of its
// own. It may outlast the connection; the session is not forgotten before.
func (sp span) finish(rest partition.Span) {
	if rest == nil {
		return
	}
	s := sp.c.s
	s.mu.Lock()
	s.spans++
	s.mu.Unlock()
	s.srv.serving.Go(func() {
		grants, err := rest(s.srv.ctx)
		sp.reply(grants, err)
		s.mu.Lock()
		s.spans--
		s.room.Broadcast()
		s.mu.Unlock()
	})
}

// reply answers the call.
func (sp span) reply(grants []call.Grant, err error) {
	if sp.by != (call.Request{}) {
		if errors.Is(err, call.ErrTxnEnded) && sp.recalled() {
			return
		}
		if errors.Is(err, call.ErrOutcomeUnknown) {
			err = fmt.Errorf("%w: %v", wire.ErrInDoubt, err)
		}
	}
	sp.c.Reply(tag(sp.op, sp.callID), &call.Result{Grants: grants, Err: err}, 0, true)
}

// recalled answers the call with the outcome that it has had, if it was made before: a commit whose client has lost its
// session and makes it again may meet itself.
func (sp span) recalled() bool {
	had, err := sp.c.p.Recall(sp.c, tag(sp.op|opRecalled, sp.callID), sp.by)
	return had && err == nil
}
