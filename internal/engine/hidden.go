package engine

import (
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
)

// mostLocks is how many locks are looked at to tell what they hide from a read. Telling takes one hold of the engine.
const mostLocks = 1 << 13

// hidden returns how many matches of q a read under t does not find because others have taken or changed them; -1 if
// there are too many locks to tell.
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

// hiddenFrom reports whether a read under t does not find the entry in slot s, which was committed as a match, because
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
