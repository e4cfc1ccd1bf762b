package engine

import (
	"math"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/store"
	"github.com/gospaces/gospaces/template"
)

// Search is a find or a count that must examine too many entries for one call of the engine. It goes on in steps, and
// the engine may be used between two of them. Its result is that of the same call made at the last step.
//
// It walks the entries by age, along all its ways at once. The order of the last examined entry is its frontier.
// Entries that enter or leave a pool behind the frontier are reported to it; those ahead it will meet. Its knowledge of
// the part behind the frontier is therefore always current, and the frontier never goes back.
type Search struct {
	e        *Engine
	q        *call.Query
	counting bool

	ways     []way
	frontier uint64
	ended    bool   // every way has ended
	hits     []held // matches when they were examined, or entered; they may be gone
	count    int    // matches in the pools behind the frontier, including expired ones that are not reclaimed yet
	best     best   // of the hits, with an ordering; the others were left out

	awaits *store.Index // an index being built that would serve it; or nil
	seen   int          // entries examined since it began
	stale  bool         // the ways have changed: begin again
}

// Unfinished is a call that goes on in steps: a *Search, or a call that waits until expired entries are reclaimed.
type Unfinished interface {
	// Step continues the call within a budget of entries to examine, and returns its result when it is done.
	Step(now int64, budget int) (r call.Result, done bool)
	// Blocked reports whether Step has nothing to do yet, because the call waits for Work.
	Blocked() bool
	// Close ends the call without a result.
	Close()
}

// maxWays is the maximum number of lists that one call walks side by side. A query that would need more walks all
// entries of its kinds.
const maxWays = 64

// StartFind is Find, and StartCount is Count, within a budget of about that many entries. If the budget does not
// suffice, it returns a search instead of a result; Step continues it. q must not change until the search is done.
func (e *Engine) StartFind(now int64, budget int, q *call.Query) (call.Result, *Search) {
	e.begin(now)
	t, err := e.under(q.Txn)
	if err != nil {
		return e.refused(err), nil
	}
	for _, k := range e.scope(q) {
		k.tend(e)
	}
	e.left = budget
	if q.ID != 0 && q.Exclusive() && e.redeem(q.ID) {
		defer e.redeemed()
	}
	if hits, ok := e.find(q, t); ok {
		return e.answer(q, t, hits), nil
	}
	return call.Result{}, e.newSearch(q, false)
}

// StartCount is described at StartFind.
func (e *Engine) StartCount(now int64, budget int, q *call.Query) (call.Result, *Search) {
	e.begin(now)
	t, err := e.under(q.Txn)
	if err != nil {
		return e.refused(err), nil
	}
	e.left = budget
	if n, ok := e.countNow(q, t); ok {
		return call.Result{Count: n, Depends: e.changed(q)}, nil
	}
	return call.Result{}, e.newSearch(q, true)
}

// Resume returns the search of a find whose wait ended with Again.
func (e *Engine) Resume(q *call.Query) *Search { return e.newSearch(q, false) }

func (e *Engine) newSearch(q *call.Query, counting bool) *Search {
	x := &Search{e: e, q: q, counting: counting}
	e.searches = append(e.searches, x)
	x.open()
	return x
}

// unbounded is an unlimited budget.
const unbounded = math.MaxInt

// finish takes all remaining steps at once.
func (x *Search) finish(now int64, r call.Result) call.Result {
	for x != nil {
		var done bool
		if r, done = x.Step(now, unbounded); done {
			return r
		}
		x.e.Work(unbounded)
	}
	return r
}

// Step examines up to about budget more entries. When the search is done it returns the result of the call, and the
// search has ended. Otherwise the caller has only the usual effects of an engine call to carry out.
func (x *Search) Step(now int64, budget int) (r call.Result, done bool) {
	e := x.e
	e.begin(now)
	t, err := e.under(x.q.Txn)
	if err != nil {
		x.Close()
		return e.refused(err), true
	}
	if x.Blocked() {
		return call.Result{}, false
	}
	e.left = budget
	e.finding, e.taking = t, x.q.Exclusive()
	if x.stale || x.awaits != nil && !x.building() {
		if r, done = x.again(t); done {
			x.Close()
			return r, true
		}
	}
	x.walk()
	x.pay()
	if r, done = x.outcome(t); done {
		x.Close()
	}
	return r, done
}

const (
	// patience is the fraction of an index's entries (one in patience) that the searches under way examine, together,
	// before they wait for the index.
	patience = 8
	// indexing is the time that an index takes to take in an entry, in times that a search takes to examine one.
	indexing = 8
)

// Blocked reports whether the search waits for an index, which Work builds: if the searches under way are so many, or
// have so much left to examine, that the index is ready sooner.
func (x *Search) Blocked() bool {
	if !x.building() {
		return false
	}
	all, many := x.awaits.Len(), len(x.e.searches)
	return x.seen*many > all/patience && (all-x.seen)*many > x.awaits.Lacks()*indexing
}

func (x *Search) building() bool {
	return x.awaits != nil && x.awaits.Pending()
}

// again restarts the search, because an index was completed or dropped.
func (x *Search) again(t *transaction) (r call.Result, done bool) {
	x.closeWays()
	if !x.counting {
		if hits, ok := x.e.find(x.q, t); ok {
			return x.e.answer(x.q, t, hits), true
		}
	}
	x.open()
	return call.Result{}, false
}

// Close ends a search without a result. It is idempotent.
func (x *Search) Close() {
	x.closeWays()
	x.e.searches = slices.DeleteFunc(x.e.searches, func(o *Search) bool { return o == x })
}

// walk examines entries until the budget is used up or it has enough hits.
func (x *Search) walk() {
	x.ended = false
	for x.e.left > 0 && !x.enough() {
		k, s := x.oldest()
		if x.ended = s == 0; x.ended {
			return
		}
		x.pass(k, s)
	}
}

// oldest returns the oldest entry ahead of the frontier; slot 0 if there is none.
func (x *Search) oldest() (k *kind, s slot) {
	for i := range x.ways {
		w := &x.ways[i]
		at := w.ahead(x.frontier)
		if at != 0 && (s == 0 || w.kind.At(at).Order < k.At(s).Order) {
			k, s = w.kind, at
		}
	}
	return k, s
}

// pass moves the frontier to an entry, and examines it.
func (x *Search) pass(k *kind, s slot) {
	x.frontier = k.At(s).Order
	x.e.left -= len(x.ways) / 8
	x.seen++
	matched := false
	for i := range x.ways {
		w := &x.ways[i]
		if w.kind != k || w.next() != s {
			continue
		}
		w.last = s
		x.e.left -= w.unit
		if !matched {
			matched = w.matches(x.e, s)
		}
		if !matched || len(x.q.Order) > 0 {
			w.vain++
		}
	}
	if matched {
		x.keep(k, s)
	}
}

// keep records a match behind the frontier.
func (x *Search) keep(k *kind, s slot) {
	switch h := (held{k, s, k.At(s).ID}); {
	case x.counting:
		x.count++
	case len(x.q.Order) > 0:
		x.hits = x.best.keep(x.hits, h)
	default:
		x.hits = append(x.hits, h)
	}
}

// Entered implements store.Walker.
func (x *Search) Entered(p *store.Pool, s slot) {
	if k := x.kindOf(p); k.At(s).Order <= x.frontier && x.wants(p, s) {
		x.keep(k, s)
	}
}

// Leaving implements store.Walker.
func (x *Search) Leaving(p *store.Pool, s slot) {
	if x.counting && x.kindOf(p).At(s).Order <= x.frontier && x.wants(p, s) {
		x.count--
	}
	for i := range x.ways {
		if w := &x.ways[i]; w.pool == p && w.last == s {
			w.retreat()
		}
	}
}

// kindOf returns the kind of a pool that x searches.
func (x *Search) kindOf(p *store.Pool) *kind {
	return x.ways[slices.IndexFunc(x.ways, func(w way) bool { return w.pool == p })].kind
}

// wants reports whether an entry of a pool matches.
func (x *Search) wants(p *store.Pool, s slot) bool {
	for i := range x.ways {
		if w := &x.ways[i]; w.pool == p && w.matches(x.e, s) {
			return true
		}
	}
	return false
}

// enough reports whether there are enough hits.
func (x *Search) enough() bool { return !x.counting && len(x.q.Order) == 0 && len(x.hits) >= x.q.Max }

// pay charges the kinds for entries examined in vain since the last time. A find waits for an index of its shape that
// is being built.
func (x *Search) pay() {
	for i := range x.ways {
		w := &x.ways[i]
		if w.vain == 0 || len(w.any) != 1 {
			continue
		}
		x.e.pay(w.kind, w.pool, w.shape, w.vain)
		w.vain = 0
		x.await(w)
	}
}

func (x *Search) await(w *way) {
	if ix := w.pool.Index(w.shape); !x.counting && ix != nil && !ix.Live() {
		x.awaits = ix
	}
}

// outcome returns the result of the call, if the part behind the frontier suffices.
func (x *Search) outcome(t *transaction) (r call.Result, done bool) {
	switch e := x.e; {
	case !x.ended && !x.enough():
		return r, false
	case x.counting:
		if e.late() {
			return r, false // expired entries are counted until they are reclaimed
		}
		return call.Result{Count: x.count - x.overdue() + len(x.own(t)), Depends: e.changed(x.q)}, true
	}
	x.hits = slices.DeleteFunc(x.hits, func(h held) bool { return !x.has(t, h) })
	x.hits = unique(x.hits)
	switch {
	case len(x.hits) >= x.q.Max:
	case !x.ended:
		return r, false
	case x.best.left:
		x.stale = true // the entries that were better than those left out are gone
		return r, false
	}
	return x.e.answer(x.q, t, x.merged(t)), true
}

// has reports whether a kept entry is currently a match behind the frontier.
func (x *Search) has(t *transaction, h held) bool {
	if !h.there() || h.k.At(h.s).Order > x.frontier || !h.k.alive(x.e, h.s) {
		return false
	}
	if x.best.left && x.best.compare(x.best.markOf(h), x.best.worst) > 0 {
		return false // it was changed, and now comes after entries that were left out
	}
	switch h.k.At(h.s).State {
	case free:
		return x.wants(&h.k.Free, h.s)
	case shared:
		return !x.q.Exclusive() && x.wants(&h.k.Shared, h.s)
	}
	return false
}

// unique returns hits by age, without duplicates.
func unique(hits []held) []held {
	slices.SortFunc(hits, func(a, b held) int { return int(int64(hit{a.k, a.s}.order() - hit{b.k, b.s}.order())) })
	return slices.Compact(hits)
}

// merged returns the first of the hits and of the transaction's own matches, in the order of the query.
func (x *Search) merged(t *transaction) []hit {
	e := x.e
	e.hits = e.hits[:0]
	for _, h := range unique(append(x.own(t), x.hits...)) {
		e.hits = append(e.hits, hit{h.k, h.s})
	}
	if len(x.q.Order) > 0 {
		e.cut(e.selected(x.q.Templates[0].Kind), x.q)
	}
	return e.hits[:min(len(e.hits), x.q.Max)]
}

// own returns the matches that only t may have, which are in no pool.
func (x *Search) own(t *transaction) []held {
	if t == nil {
		return nil
	}
	var own []held
	look := func(h held) {
		if h.k.alive(x.e, h.s) && x.wants(&h.k.Free, h.s) {
			own = append(own, h)
		}
	}
	for _, h := range t.own {
		if h.ownedBy(t) && h.k.availableTo(t, h.s, x.q.Exclusive()) {
			look(h)
		}
	}
	for _, h := range t.read {
		if x.q.Exclusive() && h.readBy(t) && len(h.k.locks[h.s].readers) == 1 {
			look(h)
		}
	}
	return own
}

// overdue returns the number of counted entries that have expired in the current tick.
func (x *Search) overdue() (n int) {
	seen := map[*store.Pool]bool{}
	for i := range x.ways {
		k, p := x.ways[i].kind, x.ways[i].pool
		if seen[p] {
			continue
		}
		seen[p] = true
		k.expiry.expired(x.e, k, func(s slot) {
			if k.At(s).State == p.State() && x.wants(p, s) {
				n++
			}
		})
	}
	return n
}

// best keeps the first matches in the order of a query.
type best struct {
	e     *Engine
	super *kind
	keys  []template.Order
	max   int
	left  bool // some were left out; all of them come after worst
	worst mark
}

// mark is the place of an entry in an order.
type mark struct {
	k     *kind
	row   template.Row
	order uint64
}

// minBest is the minimum number of hits to keep, so that some remain if others take the first ones meanwhile.
const minBest = 512

// keep adds h to hits, and drops the last hit if there are too many.
func (b *best) keep(hits []held, h held) []held {
	if b.left && b.compare(b.markOf(h), b.worst) > 0 {
		return hits
	}
	if hits = append(hits, h); len(hits) < 2*(b.max+minBest) {
		return hits
	}
	hits = slices.DeleteFunc(hits, func(h held) bool { return !h.there() })
	slices.SortFunc(hits, func(a, c held) int { return b.compare(b.markOf(a), b.markOf(c)) })
	hits = slices.Compact(hits)
	if kept := b.max + minBest; len(hits) > kept {
		b.left, b.worst = true, b.markOf(hits[kept-1])
		b.worst.row = slices.Clone(b.worst.row)
		hits = hits[:kept]
	}
	return hits
}

func (b *best) markOf(h held) mark {
	return mark{h.k, h.k.Row(h.s), h.k.At(h.s).Order}
}

func (b *best) compare(x, y mark) int {
	if c := compareAcross(b.keys, b.super, x.k, y.k, x.row, y.row); c != 0 {
		return c
	}
	return int(int64(x.order - y.order))
}
