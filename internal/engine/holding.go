package engine

import (
	"cmp"
	"math"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// holding describes the lock of a taken entry.
func (e *Engine) holding(l *lock) *call.Holding {
	t := l.owner
	h := &call.Holding{Txn: txn.ID{Number: t.id}, Holder: t.holder, For: -1, Left: call.Forever}
	if !t.name.IsZero() {
		h.Txn = t.name
	}
	if l.since != 0 {
		h.For = max(0, e.now-l.since)
	}
	if t.expires != call.Forever {
		h.Left = max(0, t.expires-e.now)
	}
	return h
}

// heldCall is a read, a count, or a page of contents, of held entries: those that transactions have taken. It locks
// nothing and does not wait.
//
// It goes on in steps, over the locks of its kinds, from the last to the first. When a lock is removed, the last lock
// takes its place: a walk misses no lock that stays, but may meet one twice. Entries taken after the first step may be
// missing; every returned entry was held at the last step.
type heldCall struct {
	e        *Engine
	q        *call.Query
	counting bool
	paging   bool
	cursor   call.Cursor // of a page, by age

	kinds []*kind // still to walk; of the first kind, locks below from are left
	from  int
	met   map[uint64]struct{} // identities, if one step does not suffice
	count int
	best  best
	hits  []held
}

// StartHeldFind is StartFind for a query of held entries.
func (e *Engine) StartHeldFind(now int64, budget int, q *call.Query) (call.Result, Unfinished) {
	return e.startHeld(now, budget, &heldCall{e: e, q: q})
}

// StartHeldCount is StartCount for a query of held entries. It counts entries that were held at some instant of the
// call.
func (e *Engine) StartHeldCount(now int64, budget int, q *call.Query) (call.Result, Unfinished) {
	return e.startHeld(now, budget, &heldCall{e: e, q: q, counting: true})
}

// StartHeldContents is Contents for a query of held entries. The pages are ordered by age.
func (e *Engine) StartHeldContents(now int64, budget int, q *call.Query, cursor call.Cursor) (call.Result, Unfinished) {
	if cursor == (call.Cursor{}) {
		cursor.Last = e.lastOrder
	}
	return e.startHeld(now, budget, &heldCall{e: e, q: q, paging: true, cursor: cursor})
}

func (e *Engine) startHeld(now int64, budget int, x *heldCall) (call.Result, Unfinished) {
	x.begin()
	if x.locks() > budget {
		x.met = map[uint64]struct{}{}
	}
	if r, done := x.Step(now, budget); done {
		return r, nil
	}
	return call.Result{}, x
}

// begin begins the walk over the locks.
func (x *heldCall) begin() {
	x.kinds, x.from, x.hits = nil, math.MaxInt, x.hits[:0]
	for _, k := range x.e.scope(x.q) {
		if len(k.locked) > 0 {
			x.kinds = append(x.kinds, k)
		}
	}
	slices.SortFunc(x.kinds, func(a, b *kind) int { return cmp.Compare(a.id, b.id) })
	x.kinds = slices.Compact(x.kinds)
	clear(x.met)
	x.best = best{e: x.e, max: x.q.Max}
	if len(x.q.Order) > 0 && !x.paging {
		x.best.super, x.best.keys = x.e.selected(x.q.Templates[0].Kind), x.q.Order
	}
}

// locks returns the approximate cost of the walk.
func (x *heldCall) locks() (n int) {
	for _, k := range x.kinds {
		n += len(k.locked) * x.unit(k)
	}
	return n
}

// unit returns the cost of examining one entry of a kind.
func (x *heldCall) unit(k *kind) int {
	conds, _ := x.e.condsOf(x.q, k)
	n := 1
	for _, c := range conds {
		n += operands(c)
	}
	return n
}

// Step implements Unfinished.
func (x *heldCall) Step(now int64, budget int) (r call.Result, done bool) {
	x.e.begin(now)
	x.e.left = budget
	if x.q.ID != 0 {
		x.lookUp()
	} else if !x.walk() {
		return call.Result{}, false
	}
	return x.outcome()
}

// Blocked implements Unfinished.
func (x *heldCall) Blocked() bool { return false }

// Close implements Unfinished.
func (x *heldCall) Close() {}

// lookUp examines the one entry that the query names.
func (x *heldCall) lookUp() {
	if p, ok := x.e.store.Find(x.q.ID); ok {
		k := x.e.kinds[p.Kind-1]
		if conds, wanted := x.e.condsOf(x.q, k); wanted {
			x.look(k, p.Slot, conds)
		}
	}
}

// walk examines locks until all are done; it returns false if the budget did not suffice.
func (x *heldCall) walk() bool {
	for ; len(x.kinds) > 0; x.kinds, x.from = x.kinds[1:], math.MaxInt {
		k := x.kinds[0]
		conds, _ := x.e.condsOf(x.q, k)
		unit := x.unit(k)
		for x.from = min(x.from, len(k.locked)); x.from > 0; {
			if x.e.left <= 0 {
				return false
			}
			x.e.left -= unit
			x.from--
			x.look(k, k.locked[x.from].s, conds)
		}
	}
	return true
}

// look keeps an entry if the call asks for it.
func (x *heldCall) look(k *kind, s slot, conds [][]template.Cond) {
	if !x.wants(k, s, conds) {
		return
	}
	h := held{k, s, k.At(s).ID}
	if x.met != nil {
		if _, again := x.met[h.id]; again {
			return
		}
		x.met[h.id] = struct{}{}
	}
	if x.counting {
		x.count++
	} else {
		x.hits = x.best.keep(x.hits, h)
	}
}

// wants reports whether an entry is held, matches, and is not on an earlier page.
func (x *heldCall) wants(k *kind, s slot, conds [][]template.Cond) bool {
	en := k.At(s)
	if en.State != taken || !k.alive(x.e, s) || !matchAny(conds, k.Row(s)) {
		return false
	}
	return !x.paging || x.cursor.Place < en.Order && en.Order <= x.cursor.Last
}

// outcome returns the result of the call. If too many of the kept entries are not held any more, the call begins again.
func (x *heldCall) outcome() (r call.Result, done bool) {
	depends := x.e.changed(x.q)
	if x.counting {
		return call.Result{Count: x.count, Depends: depends}, true
	}
	x.hits = slices.DeleteFunc(x.hits, func(h held) bool { return !x.has(h) })
	if x.best.left && len(x.hits) < x.q.Max {
		x.begin()
		return call.Result{}, false
	}
	slices.SortFunc(x.hits, func(a, b held) int { return x.best.compare(x.best.markOf(a), x.best.markOf(b)) })
	r = x.show()
	r.Depends = depends
	if len(r.Entries) == 0 && !x.paging {
		r.Err = call.ErrNoMatch
	}
	return r, true
}

// has reports whether a kept entry is still held and matches.
func (x *heldCall) has(h held) bool {
	if !h.there() {
		return false
	}
	conds, wanted := x.e.condsOf(x.q, h.k)
	return wanted && x.wants(h.k, h.s, conds)
}

// show returns as many hits as fit into one answer.
func (x *heldCall) show() (r call.Result) {
	e, hits := x.e, make([]hit, 0, min(len(x.hits), x.q.Max))
	for _, h := range x.hits[:cap(hits)] {
		hits = append(hits, hit{h.k, h.s})
	}
	hits = e.affordable(hits)
	for _, h := range hits {
		v := h.k.view(e, h.s)
		v.Held = e.holding(h.k.locks[h.s])
		e.views = append(e.views, v)
	}
	r.Entries = e.views
	if r.More = x.paging && (x.best.left || len(hits) < len(x.hits)); r.More {
		r.Cursor = call.Cursor{Place: hits[len(hits)-1].order(), Last: x.cursor.Last}
	}
	return r
}
