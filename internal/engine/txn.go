package engine

import "github.com/gospaces/gospaces/txn"

// Begin begins a transaction with a lease. Result: Grants (one), whose ID is the transaction's number. It fails with ErrInvalidArgument
// for a negative lease.
func (e *Engine) Begin(now, lease int64) Result { return failed(ErrUnavailable) }

// Commit stores drafts under a transaction and commits it: both or none. Result: Grants, one per draft. It fails as Write does; the
// transaction is then as it was.
func (e *Engine) Commit(now int64, id txn.ID, by Request, drafts []Draft) Result {
	return failed(ErrUnavailable)
}

// Abort ends a transaction as if it had never been. It fails with ErrTxnEnded.
func (e *Engine) Abort(now int64, id txn.ID) Result { return failed(ErrUnavailable) }

// Rollback undoes what was done under a transaction, which goes on, but for the takes of the entries in keep. It fails with ErrTxnEnded.
func (e *Engine) Rollback(now int64, id txn.ID, keep []uint64) Result { return failed(ErrUnavailable) }

// Defer makes the commit of a transaction put an entry that it has taken back, instead of removing it: visible after delay, with one
// attempt more. It fails with ErrTxnEnded, and with ErrNoMatch if the transaction has not taken the entry.
func (e *Engine) Defer(now int64, id txn.ID, entry uint64, delay int64) Result {
	return failed(ErrUnavailable)
}

// Update changes the row of an entry, which keeps its identity, lease and place. Result: Version. It fails with ErrNoMatch if there is no
// such entry, ErrVersionConflict if it has another version or is locked by others, ErrInvalidArgument, ErrTxnEnded.
func (e *Engine) Update(now int64, under txn.ID, by Request, c Change) Result {
	return failed(ErrUnavailable)
}
