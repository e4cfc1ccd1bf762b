package engine

import (
	"maps"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/txn"
)

// HasBranch reports whether a transaction that began in another space has a branch here.
func (e *Engine) HasBranch(id txn.ID) bool { return e.branches[id] != 0 }

// HasPrepared reports whether such a branch is prepared.
func (e *Engine) HasPrepared(id txn.ID) bool {
	t := e.txns[e.branches[id]]
	return t != nil && t.prepared
}

// Branches returns the transactions of other spaces that have branches here, prepared or not, in the order in which the
// branches were made.
func (e *Engine) Branches() []txn.ID {
	var ids []txn.ID
	for _, number := range slices.Sorted(maps.Values(e.branches)) {
		ids = append(ids, e.txns[number].name)
	}
	return ids
}

// Alive returns ErrTxnEnded if a transaction that began here cannot be used any more.
func (e *Engine) Alive(now int64, number uint64) call.Result {
	e.begin(now)
	if _, err := e.transaction(txn.ID{Number: number}); err != nil {
		return e.refused(err)
	}
	return call.Result{}
}

// DropBranch aborts a branch unless it is prepared. It leaves no record.
func (e *Engine) DropBranch(now int64, id txn.ID) call.Result {
	e.begin(now)
	if t, err := e.transaction(id); err == nil && !t.prepared {
		e.abort(t, call.ErrTxnEnded, record.Cancelled)
		e.settle()
	}
	return call.Result{}
}

// CommitBranch applies the effects of a prepared branch. If the branch does not exist it has ended, and nothing is
// done; a branch that has not prepared cannot be part of the commit, and is aborted. Once Depends is durable the branch
// has ended for good.
func (e *Engine) CommitBranch(now int64, id txn.ID) call.Result {
	e.begin(now)
	if t, err := e.transaction(id); err == nil {
		if t.prepared {
			e.commit(t)
		} else {
			e.abort(t, call.ErrTxnEnded, record.Cancelled)
		}
		e.settle()
	}
	return call.Result{Depends: e.lsn}
}

// AbortBranch undoes a branch. If the branch does not exist it has ended, and nothing is done. Once Depends is durable
// the branch has ended for good.
func (e *Engine) AbortBranch(now int64, id txn.ID) call.Result {
	e.begin(now)
	if t, err := e.transaction(id); err == nil {
		e.abort(t, call.ErrTxnEnded, record.Cancelled)
		e.settle()
	}
	return call.Result{Depends: e.lsn}
}

// Enlisted reports whether any transaction that began here has branches elsewhere.
func (e *Engine) Enlisted() bool {
	for _, t := range e.txns {
		if len(t.participants) > 0 {
			return true
		}
	}
	return false
}
