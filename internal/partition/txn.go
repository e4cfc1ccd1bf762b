package partition

import (
	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/txn"
)

// BeginTxn begins a transaction. Result: Grants (one), whose ID is the transaction's number.
func (p *Partition) BeginTxn(c Caller, call uint64, lease int64) {
	p.do(c, call, func(now int64) engine.Result { return p.e.Begin(now, lease) })
}

// Commit stores drafts, if there are any, under a transaction and commits it: both or none. Result: Grants, one per draft.
func (p *Partition) Commit(c Caller, call uint64, id txn.ID, by engine.Request, drafts []engine.Draft) {
	if err := p.checkSize(drafts); err != nil {
		c.Reply(call, &engine.Result{Err: err}, 0, true)
		return
	}
	p.do(c, call, func(now int64) engine.Result { return p.e.Commit(now, id, by, drafts) })
}

// Abort aborts a transaction.
func (p *Partition) Abort(c Caller, call uint64, id txn.ID) {
	p.do(c, call, func(now int64) engine.Result { return p.e.Abort(now, id) })
}

// Rollback undoes what was done under a transaction, which goes on, but for the takes of the entries in keep.
func (p *Partition) Rollback(c Caller, call uint64, id txn.ID, keep []uint64) {
	p.do(c, call, func(now int64) engine.Result { return p.e.Rollback(now, id, keep) })
}

// Defer makes the commit of a transaction put an entry that it has taken back, visible after delay, with one attempt more.
func (p *Partition) Defer(c Caller, call uint64, id txn.ID, entry uint64, delay int64) {
	p.do(c, call, func(now int64) engine.Result { return p.e.Defer(now, id, entry, delay) })
}

// Update changes the row of an entry. Result: Version.
func (p *Partition) Update(c Caller, call uint64, under txn.ID, by engine.Request, ch engine.Change) {
	if err := p.checkSize([]engine.Draft{{Row: ch.Row}}); err != nil {
		c.Reply(call, &engine.Result{Err: err}, 0, true)
		return
	}
	p.do(c, call, func(now int64) engine.Result { return p.e.Update(now, under, by, ch) })
}
