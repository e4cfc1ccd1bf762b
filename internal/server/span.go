package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/txn"
)

// Spans is what lets transactions span several spaces.
type Spans struct {
	Coordinator *txn.Coordinator
	// Partition returns the partition of the named space, or nil if there is no such space. It does not wait.
	Partition func(name string) *partition.Partition
}

// under returns id as the space's partition takes it, for a call to be made under it: if the transaction began in another space, it has a
// branch in this one from now on. It does not wait. It returns engine.ErrTxnEnded, and engine.ErrInvalidArgument if that other space
// does not exist.
func (c *caller) under(id txn.ID) (txn.ID, error) {
	id = c.home(id)
	if id.Space == "" {
		return id, nil
	}
	if c.s.srv.cfg.Spans == nil {
		return id, noHome(id)
	}
	return id, spanError(id, c.s.srv.cfg.Spans.Coordinator.Join(id, c.name))
}

func noHome(id txn.ID) error {
	return fmt.Errorf("%w: there is no space %q, in which transaction %v would have begun", engine.ErrInvalidArgument, id.Space, id)
}

// spanError returns what a client is told of an error of the coordinator.
func spanError(id txn.ID, err error) error {
	switch {
	case errors.Is(err, txn.ErrNoHome):
		return noHome(id)
	case errors.Is(err, txn.ErrCommitting), errors.Is(err, txn.ErrEnded):
		return engine.ErrTxnEnded
	case errors.Is(err, txn.ErrAborted): // whatever the reason was, the outcome is certain
		return fmt.Errorf("%w: %v", engine.ErrTxnEnded, err)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: the server is shutting down", engine.ErrOutcomeUnknown)
	}
	return err
}

// span is a call that ends a transaction, or rolls it back, in several spaces, or in another one than that of the call.
type span struct {
	c    *caller
	op   wire.Type
	call uint64
	id   txn.ID // with its home
	home *partition.Partition
	by   engine.Request // zero: no outcome is kept
}

// span returns a call about a transaction, for start; nil if the transaction's home does not exist.
func (s *session) span(c *caller, op wire.Type, call uint64, id txn.ID) *span {
	sp := &span{c: c, op: op, call: call, id: id, home: c.p}
	if id.Space == "" {
		sp.id.Space = c.name
	} else if s.srv.cfg.Spans != nil {
		sp.home = s.srv.cfg.Spans.Partition(id.Space)
	} else {
		sp.home = nil
	}
	if sp.home == nil {
		return nil
	}
	return sp
}

// start has do done on a goroutine of its own, since it waits for logs, and answers the call with its result. It may outlast the connection;
// the session is not forgotten before.
func (sp *span) start(do func(ctx context.Context) ([]engine.Grant, error)) {
	s := sp.c.s
	s.mu.Lock()
	s.spans++
	s.mu.Unlock()
	s.srv.serving.Go(func() {
		grants, err := do(s.srv.ctx)
		sp.reply(grants, spanError(sp.id, err))
		s.mu.Lock()
		s.spans--
		s.room.Broadcast()
		s.mu.Unlock()
	})
}

// reply answers the call.
func (sp *span) reply(grants []engine.Grant, err error) {
	if sp.by != (engine.Request{}) {
		if errors.Is(err, engine.ErrTxnEnded) && sp.recalled() {
			return
		}
		if errors.Is(err, engine.ErrOutcomeUnknown) {
			err = fmt.Errorf("%w: %v", wire.ErrInDoubt, err)
		}
	}
	sp.c.Reply(tag(sp.op, sp.call), &engine.Result{Grants: grants, Err: err}, 0, true)
}

// recalled answers the call with the outcome that it has had, if it was made before: a commit whose client has lost its session and makes
// it again may meet itself.
func (sp *span) recalled() bool {
	had, err := sp.home.Recall(sp.c, tag(sp.op|opRecalled, sp.call), sp.by)
	return had && err == nil
}

// commit commits the transaction. Drafts that come with it are written where the call was made.
func (sp *span) commit(drafts []engine.Draft) {
	drafts = cloneDrafts(drafts)
	sp.start(func(ctx context.Context) (grants []engine.Grant, err error) {
		coordinator := sp.c.s.srv.cfg.Spans.Coordinator
		if err := sp.c.p.CheckDrafts(drafts); err != nil {
			return nil, err // while the transaction is still as it was
		}
		if sp.home != sp.c.p && len(drafts) > 0 {
			if err := coordinator.Join(sp.id, sp.c.name); err != nil {
				return nil, err
			}
			if grants, err = sp.c.p.WriteWait(ctx, sp.id, drafts); err != nil {
				return nil, err
			}
			drafts = nil
		}
		err = coordinator.Commit(ctx, sp.id, func(ctx context.Context, names []string) error {
			own, err := sp.home.Decide(ctx, sp.id.Number, sp.by, drafts, sp.partitions(names))
			grants = append(grants, own...)
			return err
		})
		return grants, err
	})
}

// partitions returns those of the named spaces.
func (sp *span) partitions(names []string) []*partition.Partition {
	ps := make([]*partition.Partition, len(names))
	for i, name := range names {
		ps[i] = sp.c.s.srv.cfg.Spans.Partition(name)
	}
	return ps
}

// cloneDrafts returns drafts that outlive the frame that they came in.
func cloneDrafts(drafts []engine.Draft) []engine.Draft {
	drafts = slices.Clone(drafts)
	for i := range drafts {
		drafts[i].Row = bytes.Clone(drafts[i].Row)
	}
	return drafts
}

// abort aborts the transaction.
func (sp *span) abort() {
	sp.start(func(ctx context.Context) ([]engine.Grant, error) {
		return nil, sp.c.s.srv.cfg.Spans.Coordinator.Abort(ctx, sp.id)
	})
}

// rollback undoes what was done under the transaction, but for the takes, in its home, of the entries in keep.
func (sp *span) rollback(keep []uint64) {
	keep = slices.Clone(keep)
	sp.start(func(ctx context.Context) ([]engine.Grant, error) {
		return nil, sp.c.s.srv.cfg.Spans.Coordinator.Rollback(ctx, sp.id, func(ctx context.Context) error {
			return sp.home.RollbackWait(ctx, sp.id.Number, keep)
		})
	})
}
