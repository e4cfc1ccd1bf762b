package partition

import (
	"bytes"
	"context"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// Transactions are ended and rolled back through Spans, whether they are in one partition or in several; only this file
// makes the distinction. In one partition it is an ordinary call, which the partition answers. An agreement of several
// partitions takes several logs: it is returned to the caller as a Span.

// Span is the rest of a call about a transaction over several partitions. It blocks until that is done, and returns the
// outcome: the grants of a commit. If ctx ends the outcome is unknown. A nil Span means that the partition answers the
// call.
type Span func(ctx context.Context) ([]call.Grant, error)

// Commit stores drafts at a partition under a transaction and commits it in all partitions: all or nothing. id has no
// space if the transaction began in that partition. Result: Grants, one per draft.
//
// After call.ErrOutcomeUnknown either everything or nothing has happened. After call.ErrTxnEnded the transaction has
// ended, now or before; if another Commit was in progress, this one has waited for it. It returns
// call.ErrInvalidArgument and call.ErrTooLarge as Commit of a partition does.
func (s *Spans) Commit(c Caller, callID uint64, id txn.ID, at *Partition, by call.Request, drafts []call.Draft) Span {
	if id.Space == "" && at.Commit(c, callID, id, by, drafts) {
		return nil
	}
	if id.Space != "" {
		by = call.Request{} // the home does not know sessions with other partitions
	}
	id, drafts = at.named(id), cloned(drafts)
	return func(ctx context.Context) ([]call.Grant, error) { return s.commit(ctx, id, at, by, drafts) }
}

// Abort aborts a transaction in all partitions. It fails with call.ErrTxnEnded, and call.ErrInvalidArgument if its home
// does not exist.
func (s *Spans) Abort(c Caller, callID uint64, id txn.ID, at *Partition) Span {
	if id.Space == "" && !at.hasBranches(id.Number) {
		at.Abort(c, callID, id)
		return nil
	}
	id = at.named(id)
	return func(ctx context.Context) ([]call.Grant, error) { return nil, s.abort(ctx, id) }
}

// Rollback undoes what was done under a transaction in all partitions, except for the takes, in the space of the given
// one, of the entries in keep. It fails as Abort does.
func (s *Spans) Rollback(c Caller, callID uint64, id txn.ID, at *Partition, keep []uint64) Span {
	if id.Space == "" && !at.hasBranches(id.Number) {
		at.Rollback(c, callID, id, keep)
		return nil
	}
	id, keep = at.named(id), slices.Clone(keep)
	return func(ctx context.Context) ([]call.Grant, error) { return nil, s.rollback(ctx, id, at.cfg.Address, keep) }
}

// hasBranches reports whether a transaction that began here has branches in other partitions.
func (p *Partition) hasBranches(number uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err == nil && len(p.e.Participants(number)) > 0
}

// named returns the full ID of a transaction.
func (p *Partition) named(id txn.ID) txn.ID {
	if id.Space == "" {
		id.Space = p.cfg.Address.Space
	}
	return id
}

// cloned returns a copy of drafts that outlives its call.
func cloned(drafts []call.Draft) []call.Draft {
	drafts = slices.Clone(drafts)
	for i := range drafts {
		drafts[i].Row = bytes.Clone(drafts[i].Row)
	}
	return drafts
}
