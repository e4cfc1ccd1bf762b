package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/txn"
)

// under returns id as the space's partition takes it, for a call to be made under it: if the transaction began in another space, it has a
// branch in this one from now on. It waits for the log of that space at most. It returns call.ErrTxnEnded, and call.ErrInvalidArgument if that other space
// does not exist.
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

// span is a call that ends a transaction, or rolls it back, in several spaces, or in another one than that of the call.
type span struct {
	c    *caller
	op   wire.Type
	call uint64
	id   txn.ID       // with its home
	by   call.Request // zero: no outcome is kept
}

// span returns a call about a transaction.
func (s *session) span(c *caller, op wire.Type, callID uint64, id txn.ID) *span {
	if id.Space == "" {
		id.Space = c.name
	}
	return &span{c: c, op: op, call: callID, id: id}
}

// start has do done on a goroutine of its own, since it waits for logs, and answers the call with its result. It may outlast the connection;
// the session is not forgotten before.
func (sp *span) start(do func(ctx context.Context) ([]call.Grant, error)) {
	s := sp.c.s
	s.mu.Lock()
	s.spans++
	s.mu.Unlock()
	s.srv.serving.Go(func() {
		grants, err := do(s.srv.ctx)
		sp.reply(grants, err)
		s.mu.Lock()
		s.spans--
		s.room.Broadcast()
		s.mu.Unlock()
	})
}

// reply answers the call.
func (sp *span) reply(grants []call.Grant, err error) {
	if sp.by != (call.Request{}) {
		if errors.Is(err, call.ErrTxnEnded) && sp.recalled() {
			return
		}
		if errors.Is(err, call.ErrOutcomeUnknown) {
			err = fmt.Errorf("%w: %v", wire.ErrInDoubt, err)
		}
	}
	sp.c.Reply(tag(sp.op, sp.call), &call.Result{Grants: grants, Err: err}, 0, true)
}

// recalled answers the call with the outcome that it has had, if it was made before: a commit whose client has lost its session and makes
// it again may meet itself.
func (sp *span) recalled() bool {
	had, err := sp.c.p.Recall(sp.c, tag(sp.op|opRecalled, sp.call), sp.by)
	return had && err == nil
}

// commit commits the transaction. Drafts that come with it are written where the call was made.
func (sp *span) commit(drafts []call.Draft) {
	drafts = cloneDrafts(drafts)
	sp.start(func(ctx context.Context) ([]call.Grant, error) {
		return sp.spans().Commit(ctx, sp.id, sp.c.p, sp.by, drafts)
	})
}

func (sp *span) spans() *partition.Spans { return sp.c.s.srv.cfg.Spans }

// cloneDrafts returns drafts that outlive the frame that they came in.
func cloneDrafts(drafts []call.Draft) []call.Draft {
	drafts = slices.Clone(drafts)
	for i := range drafts {
		drafts[i].Row = bytes.Clone(drafts[i].Row)
	}
	return drafts
}

// abort aborts the transaction.
func (sp *span) abort() {
	sp.start(func(ctx context.Context) ([]call.Grant, error) { return nil, sp.spans().Abort(ctx, sp.id) })
}

// rollback undoes what was done under the transaction, but for the takes, where the call was made, of the entries in keep.
func (sp *span) rollback(keep []uint64) {
	keep = slices.Clone(keep)
	sp.start(func(ctx context.Context) ([]call.Grant, error) {
		return nil, sp.spans().Rollback(ctx, sp.id, sp.c.p, keep)
	})
}
