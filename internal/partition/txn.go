package partition

import (
	"bytes"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/txn"
)

// BeginTxn begins a transaction for a client named holder. Result: Grants (one), whose ID is the transaction's number.
func (p *Partition) BeginTxn(c Caller, callID uint64, lease int64, by call.Request, holder string) {
	p.do(c, callID, func(now int64) call.Result {
		if err := p.roomForTxns(1); err != nil {
			return call.Result{Err: err}
		}
		return p.e.Begin(now, lease, by, holder)
	})
}

// Lose aborts a transaction whose holder has vanished, which counts as an attempt for the entries it has taken.
func (p *Partition) Lose(c Caller, callID, number uint64) {
	p.do(c, callID, func(now int64) call.Result { return p.e.Lose(now, number) })
}

// Commit stores drafts, if any, under a transaction and commits it: both or neither. Result: Grants, one per draft. It
// returns false, without a reply and without any effect, if the transaction has branches in other partitions; use
// Decide for these.
func (p *Partition) Commit(c Caller, callID uint64, id txn.ID, by call.Request, drafts []call.Draft) (alone bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.refusal()
	if err == nil {
		err = p.checkSize(drafts)
	}
	if err == nil {
		err = p.admitCommit(id, drafts)
	}
	if err == nil {
		err = p.roomForCommit(drafts)
	}
	if err != nil {
		p.refuse(c, callID, err)
		return true
	}
	p.result = p.e.Commit(p.clock.now(), id, by, drafts)
	alone = p.result.Err != engine.ErrSpans
	if alone {
		p.reply(c, callID, &p.result)
	}
	p.finish()
	return alone
}

// spanning returns those of the numbered transactions that began here and have branches in other partitions, with the
// addresses of these.
func (p *Partition) spanning(ids []uint64) (ds []txn.Decision) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return nil
	}
	for _, id := range ids {
		if bs := p.e.Participants(id); len(bs) > 0 {
			ds = append(ds, txn.Decision{Number: id, Participants: txn.Addresses(bs)})
		}
	}
	return ds
}

// Abort aborts a transaction here. The coordinator is told if it has branches in other partitions.
func (p *Partition) Abort(c Caller, callID uint64, id txn.ID) {
	p.do(c, callID, func(now int64) call.Result { return p.e.Abort(now, id) })
}

// Rollback undoes what was done here under a transaction, which stays open, except for the takes of the entries in
// keep.
func (p *Partition) Rollback(c Caller, callID uint64, id txn.ID, keep []uint64) {
	p.do(c, callID, func(now int64) call.Result { return p.e.Rollback(now, id, keep) })
}

// Defer makes the commit of a transaction put a taken entry back, visible after delay, with one attempt more.
func (p *Partition) Defer(c Caller, callID uint64, id txn.ID, entry uint64, delay int64) {
	p.do(c, callID, func(now int64) call.Result { return p.e.Defer(now, id, entry, delay) })
}

// Update changes the row of an entry. Result: Version.
func (p *Partition) Update(c Caller, callID uint64, under txn.ID, by call.Request, ch call.Change) {
	if err := p.checkSize([]call.Draft{{Row: ch.Row}}); err != nil {
		c.Reply(callID, &call.Result{Err: err}, 0, true)
		return
	}
	keep := func() { ch.Row = bytes.Clone(ch.Row) }
	p.doCertain(c, callID, []uint64{ch.ID}, keep, func(now int64) call.Result {
		if under.IsZero() {
			if err := p.admit(); err != nil {
				return call.Result{Err: err}
			}
		}
		if b := p.cfg.Budget; b.Full() {
			return call.Result{Err: b.Refuse(call.ErrSpaceFull)}
		}
		return p.e.Update(now, under, by, ch)
	})
}
