package spacetest

import (
	"slices"

	"github.com/gospaces/gospaces/spacetest/history"
)

// withLost returns a history with what a crash hides from it. A call that locks something may have done so, and the answer been lost with the server that
// gave it: until that was gone, others found the entry locked. The client then makes a take that begins a transaction again, as another one; of any
// other call it learns that the transaction has ended, or that the space was away.
func withLost(ops []history.Op) []history.Op {
	begun := map[int]bool{} // transactions that began before a call of their own
	next := 0
	for i := range ops {
		if ops[i].Verb == history.Begin {
			begun[ops[i].Txn] = true
		}
		next = max(next, ops[i].Txn)
	}
	ops = slices.Clone(ops)
	var lost []history.Op
	for i := range ops {
		o := &ops[i]
		if o.Txn == 0 || o.Verb != history.Take && o.Verb != history.Read || !outlasts(o, ops) {
			continue
		}
		if o.Outcome == history.Ended || o.Outcome == history.Refused {
			o.Outcome = history.Unknown
		}
		if o.Verb == history.Take && !begun[o.Txn] && o.Outcome != history.Unknown {
			next++
			ghost := *o
			ghost.Txn, ghost.Items, ghost.Outcome = next, nil, history.Unknown
			lost = append(lost, ghost)
		}
		begun[o.Txn] = true
	}
	return append(ops, lost...)
}

// outlasts reports whether a crash happened while o was under way.
func outlasts(o *history.Op, ops []history.Op) bool {
	for i := range ops {
		if c := &ops[i]; c.Verb == history.Crash && o.Call <= c.Return && c.Call <= o.Return {
			return true
		}
	}
	return false
}
