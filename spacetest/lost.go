package spacetest

import (
	"maps"
	"slices"

	"github.com/gospaces/gospaces/spacetest/history"
)

// withLost returns a history with what a crash hides from it. A call that locks something may have done so, and the
// answer been lost with the server that gave it: until that was gone, others found the entry locked. The client then
// makes a take that begins a transaction again, as another one; of any other call it learns that the transaction has
// ended, or that the space was away.
func withLost(ops []history.Op) []history.Op {
	ops = slices.Clone(ops)
	first := firsts(ops)
	next := slices.Max(slices.Collect(maps.Keys(first))) // the highest number of a transaction
	var lost []history.Op
	for i := range ops {
		o := &ops[i]
		if o.Txn == 0 || o.Verb != history.Take && o.Verb != history.Read || !outlasts(o, ops) {
			continue
		}
		if o.Outcome == history.Ended || o.Outcome == history.Refused {
			o.Outcome = history.Unknown
		}
		if o.Verb == history.Take && first[o.Txn] == i && o.Outcome != history.Unknown { // it begins the transaction
			next++
			ghost := *o
			ghost.Txn, ghost.Items, ghost.Outcome = next, nil, history.Unknown
			lost = append(lost, ghost)
		}
	}
	return append(ops, lost...)
}

// firsts returns the place of the first call of each transaction.
func firsts(ops []history.Op) map[int]int {
	first := map[int]int{0: 0} // calls without one
	for i := range ops {
		if f, ok := first[ops[i].Txn]; !ok || ops[i].Call < ops[f].Call {
			first[ops[i].Txn] = i
		}
	}
	return first
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
