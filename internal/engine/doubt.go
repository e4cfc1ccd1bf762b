package engine

import (
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// A prepared branch is in doubt: its transaction may be committed already, and its other parts may have been seen. If
// the partitions of a transaction do not commit at one instant, a call that would meet an effect of such a branch has
// to wait for the outcome, or it might contradict what its caller has seen. It need not wait for branches that prepare
// after it has come: no caller has seen of these before the call began.

// InDoubt returns the prepared branches with an effect on an entry that matches q; nil if there are none.
func (e *Engine) InDoubt(q *call.Query) []txn.ID {
	if len(e.doubtful) == 0 {
		return nil
	}
	scope := e.scope(q)
	return e.doubts(func(h held) bool {
		if q.ID != 0 && q.ID != h.id || !slices.Contains(scope, h.k) {
			return false
		}
		conds, _ := e.condsOf(q, h.k)
		return matchAny(conds, h.k.Row(h.s)) ||
			h.k.At(h.s).State == changed && matchAny(conds, h.k.oldRow(e, h.k.locks[h.s]))
	})
}

// EntryInDoubt returns the prepared branch with an effect on an entry; nil if there is none.
func (e *Engine) EntryInDoubt(id uint64) []txn.ID {
	if len(e.doubtful) == 0 {
		return nil
	}
	return e.doubts(func(h held) bool { return h.id == id })
}

// doubts returns the prepared branches with an effect on an entry that is met.
func (e *Engine) doubts(met func(h held) bool) (ids []txn.ID) {
	for _, t := range e.prepared() {
		if slices.ContainsFunc(t.own, func(h held) bool { return h.ownedBy(t) && met(h) }) ||
			slices.ContainsFunc(t.taken, func(h held) bool { return h.takenBy(t) && met(h) }) {
			ids = append(ids, t.name)
		}
	}
	return ids
}

// Settling returns a call that start makes as soon as the outcomes of some prepared branches are known.
func (e *Engine) Settling(ids []txn.ID, start func(now int64, budget int) (call.Result, Unfinished)) Unfinished {
	x := &settling{e: e, start: start}
	for _, id := range ids {
		x.branches = append(x.branches, e.txns[e.branches[id]])
	}
	return x
}

// settling is a call that waits for the outcomes of branches.
type settling struct {
	e        *Engine
	branches []*transaction
	start    func(now int64, budget int) (call.Result, Unfinished)
	rest     Unfinished // once it is made, if it goes on in steps
}

// Step implements Unfinished.
func (x *settling) Step(now int64, budget int) (r call.Result, done bool) {
	if x.Blocked() {
		return r, false
	}
	if x.rest == nil {
		if r, x.rest = x.start(now, budget); x.rest == nil {
			return r, true
		}
		return call.Result{}, false
	}
	return x.rest.Step(now, budget)
}

// Blocked implements Unfinished.
func (x *settling) Blocked() bool {
	if x.rest != nil {
		return x.rest.Blocked()
	}
	x.branches = slices.DeleteFunc(x.branches,
		func(t *transaction) bool { _, doubtful := x.e.doubtful[t]; return !doubtful })
	return len(x.branches) > 0
}

// Close implements Unfinished.
func (x *settling) Close() {
	if x.rest != nil {
		x.rest.Close()
	}
}
