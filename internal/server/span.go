package server

import (
	"errors"
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/txn"
)

// under returns id as the partition takes it, for a call under that transaction: if the transaction began elsewhere, it
// gets a branch here. It waits for the log of its home at most. It returns call.ErrTxnEnded, and
// call.ErrInvalidArgument if the home does not exist.
func (c *caller) under(id txn.ID) (txn.ID, error) {
	id = c.home(id)
	if id.Space == "" {
		return id, nil
	}
	if c.absent {
		return id, c.create()
	}
	wait, err := c.host.Join(id)
	if wait == nil {
		return id, err
	}
	c.s.pause() // other calls go on
	err = wait(c.s.srv.ctx)
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

// finish completes a call, if a rest is left, and answers it. It waits for logs, and so has a goroutine of its own. It
// may outlast the connection; the session is not forgotten before.
func (sp span) finish(rest call.Rest) {
	if rest == nil {
		return
	}
	s := sp.c.s
	s.mu.Lock()
	s.spans++
	s.mu.Unlock()
	s.srv.serving.Go(func() {
		sp.reply(rest(s.srv.ctx))
		s.mu.Lock()
		s.spans--
		s.room.Broadcast()
		s.mu.Unlock()
	})
}

// reply answers the call.
func (sp span) reply(r call.Result) {
	if sp.by != (call.Request{}) {
		if errors.Is(r.Err, call.ErrTxnEnded) && sp.recalled() {
			return
		}
		if errors.Is(r.Err, call.ErrOutcomeUnknown) {
			r.Err = fmt.Errorf("%w: %v", wire.ErrInDoubt, r.Err)
		}
	}
	sp.c.Reply(tag(sp.op, sp.callID), &r, 0, true)
}

// recalled answers the call with its earlier outcome, if it was made before: a client that has lost its session repeats
// a commit, which may still be in progress.
func (sp span) recalled() bool {
	had, err := sp.c.host.Recall(sp.c, tag(sp.op|opRecalled, sp.callID), sp.by)
	return had && err == nil
}
