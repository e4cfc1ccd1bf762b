package engine

import (
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
)

// mostLocks is the maximum number of locks that are examined to count what they hide from a read. The count blocks the
// engine.
const mostLocks = 1 << 13

// hidden returns the number of matches of q that a read under t does not find because others have taken or changed
// them; -1 if there are too many locks to count.
func (e *Engine) hidden(q *call.Query, t *transaction) (n int) {
	if q.ID != 0 {
		return e.hiddenOne(q, t)
	}
	left := mostLocks
	seen := map[*kind]bool{} // the scope may repeat kinds
	for _, k := range e.scope(q) {
		if len(k.locked) == 0 || seen[k] {
			continue
		}
		seen[k] = true
		conds, _ := e.condsOf(q, k)
		unit := 1
		for _, c := range conds {
			unit += operands(c)
		}
		if left -= unit * len(k.locked); left < 0 {
			return -1
		}
		for _, l := range k.locked {
			if k.hiddenFrom(e, t, l.s, conds) {
				n++
			}
		}
	}
	return n
}

// hiddenOne is hidden for a query that names the entry.
func (e *Engine) hiddenOne(q *call.Query, t *transaction) int {
	p, ok := e.store.Find(q.ID)
	if !ok {
		return 0
	}
	k := e.kinds[p.Kind-1]
	if conds, wanted := e.condsOf(q, k); wanted && k.hiddenFrom(e, t, p.Slot, conds) {
		return 1
	}
	return 0
}

// hiddenFrom reports whether the entry in slot s, whose committed state matches, is hidden from a read under t because
// another transaction has taken or changed it.
func (k *kind) hiddenFrom(e *Engine, t *transaction, s slot, conds [][]template.Cond) bool {
	switch k.At(s).State {
	case taken:
		return k.locks[s].owner != t && k.alive(e, s) && matchAny(conds, k.Row(s))
	case changed:
		return k.locks[s].owner != t && k.alive(e, s) && matchAny(conds, k.oldRow(e, k.locks[s]))
	}
	return false
}
