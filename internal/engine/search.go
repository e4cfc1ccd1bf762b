package engine

import (
	"math"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/store"
	"github.com/gospaces/gospaces/template"
)

// Search is a find or a count that looks at more entries than one hold of the engine should. It goes on in steps, and
// between two of them the engine may be used for anything else. Its outcome is that of the same call made at the
// instant of its last step.
//
// It walks the entries by age, from all its ways at once. The order of the entry looked at last is its frontier. What
// enters or leaves a pool behind the frontier tells it so, what happens before the frontier it will see when it gets
// there. So what it knows of the part behind it is always true of the present, and the frontier never goes back.
type Search struct {
	e        *Engine
	q        *call.Query
	counting bool

	ways     []way
	frontier uint64
	ended    bool   // no way led on from the frontier
	hits     []held // that matched when they were looked at, or entered; they may be gone
	count    int    // matches in the pools behind the frontier, those that have expired and are not reclaimed included
	best     best   // of the hits, with an ordering; the rest was left out

	awaits *store.Index // that is being built, and would serve it; or nil
	seen   int          // entries looked at since it began
	stale  bool         // the ways are not what they were: begin again
}

// Unfinished is a call that goes on in steps: a *Search, or one that waits until what has expired is reclaimed.
type Unfinished interface {
	// Step goes on, within a budget of entries to look at, and returns the result of the call when it is done.
	Step(now int64, budget int) (r call.Result, done bool)
	// Blocked reports whether Step has nothing to do yet, because it waits for what Work does.
	Blocked() bool
	// Close ends the call without a result.
	Close()
}

// maxWays is how many lists one call walks side by side. A query that would need more walks all entries of its kinds.
const maxWays = 64

// StartFind is Find, and StartCount is Count, of up to about budget entries. If those do not suffice there is no result
// but a search, which goes on with Step. q must stay unchanged until that is done.
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
	if hits, ok := e.find(q, t); ok {
		return e.answer(q, t, hits), nil
	}
	return call.Result{}, e.newSearch(q, false)
}

// StartCount is described with StartFind.
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

// Resume returns the search of a find whose wait has ended with Again.
func (e *Engine) Resume(q *call.Query) *Search { return e.newSearch(q, false) }

func (e *Engine) newSearch(q *call.Query, counting bool) *Search {
	x := &Search{e: e, q: q, counting: counting}
	e.searches = append(e.searches, x)
	x.open()
	return x
}

// unbounded is the budget of who has all the time.
const unbounded = math.MaxInt

// finish takes all steps at once.
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

// Step looks at up to about budget more entries. It returns the result of the call when that is done; the search has
// ended then. While it is not, there is nothing else to do about the call, but what the call of any method of the
// engine may bring about.
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

// patience is which part of the entries that an index will have a search looks at before it rather waits for the index.
const patience = 8

// Blocked reports whether Step has nothing to do because the search waits for an index, which Work builds.
func (x *Search) Blocked() bool { return x.building() && x.seen > x.awaits.Len()/patience }

func (x *Search) building() bool {
	return x.awaits != nil && x.awaits.Pending()
}

// again begins again, since there is an index now or there is one no more.
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

// walk looks at entries until the budget is used up, or there is enough.
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

// oldest returns the oldest entry that is before the frontier; slot 0 if there is none.
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

// pass moves the frontier to an entry, and looks at it.
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

// keep notes a match behind the frontier.
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

// kindOf returns the kind that has a pool in which x looks.
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

// enough reports whether the hits suffice.
func (x *Search) enough() bool { return !x.counting && len(x.q.Order) == 0 && len(x.hits) >= x.q.Max }

// pay charges the kinds for what was looked at in vain since the last time. A find waits for an index that has begun
// for the likes of it.
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

// outcome returns the result of the call, if what is behind the frontier suffices for that.
func (x *Search) outcome(t *transaction) (r call.Result, done bool) {
	switch e := x.e; {
	case !x.ended && !x.enough():
		return r, false
	case x.counting:
		if e.late() {
			return r, false // what has expired is counted until it is reclaimed
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
		x.stale = true // those that were better than what was left out are gone
		return r, false
	}
	return x.e.answer(x.q, t, x.merged(t)), true
}

// has reports whether an entry that was kept is a match behind the frontier, now.
func (x *Search) has(t *transaction, h held) bool {
	if !h.there() || h.k.At(h.s).Order > x.frontier || !h.k.alive(x.e, h.s) {
		return false
	}
	if x.best.left && x.best.compare(x.best.markOf(h), x.best.worst) > 0 {
		return false // it was changed, and comes behind what was left out
	}
	switch h.k.At(h.s).State {
	case free:
		return x.wants(&h.k.Free, h.s)
	case shared:
		return !x.q.Exclusive() && x.wants(&h.k.Shared, h.s)
	}
	return false
}

// unique returns hits by age, each once.
func unique(hits []held) []held {
	slices.SortFunc(hits, func(a, b held) int { return int(int64(hit{a.k, a.s}.order() - hit{b.k, b.s}.order())) })
	return slices.Compact(hits)
}

// merged returns the first of the hits and of what only the transaction may have, in the order of the query.
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

// own returns the matches that are in no pool the search looks in, because t alone may have them.
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

// overdue returns how many of the entries that were counted have expired in the tick that is not over yet.
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

// best keeps the first of the matches in the order of a query.
type best struct {
	e     *Engine
	super *kind
	keys  []template.Order
	max   int
	left  bool // some were left out, each of which comes behind worst
	worst mark
}

// mark is where an entry comes in an order.
type mark struct {
	k     *kind
	row   template.Row
	order uint64
}

// minBest is how many hits are kept at least, so that some are left if others take the first meanwhile.
const minBest = 512

// keep adds h to hits, and leaves the last of them out if there are too many.
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
