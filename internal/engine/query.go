package engine

import (
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
)

// Check validates q as call.Query's Check does, and resolves its named templates against the current schemas. It
// returns ErrUnknownKind for a number that no kind has, or a template that was made for other classes than its kind has
// now, and ErrSchemaConflict if a named template contradicts a schema.
func (e *Engine) Check(q *call.Query) error {
	if err := q.Check(); err != nil {
		return err
	}
	for i := range q.Templates {
		if err := e.checkTemplate(q, &q.Templates[i]); err != nil {
			return err
		}
	}
	if len(q.Order) == 0 {
		return nil
	}
	if err := template.CheckOrder(e.Schema(q.Templates[0].Kind), q.Order); err != nil {
		return fmt.Errorf("%w: %w", call.ErrInvalidArgument, err)
	}
	return nil
}

func (e *Engine) checkTemplate(q *call.Query, t *call.Template) error {
	if t.Named != nil {
		return e.bind(q, t)
	}
	if t.Kind == 0 {
		return nil
	}
	if err := e.checkKind(t.Kind); err != nil {
		return err
	}
	schema := e.Schema(t.Kind)
	if t.Schema != nil && t.Schema != schema && !schema.Extends(t.Schema) {
		return fmt.Errorf("%w: kind %q has other classes now", call.ErrUnknownKind, schema.Kind)
	}
	if err := template.CheckConds(schema, t.Conds); err != nil {
		return fmt.Errorf("%w: %w", call.ErrInvalidArgument, err)
	}
	return nil
}

// Find returns up to q.Max entries that match q, and removes them if q.Take is set; under a transaction it locks them.
// q must have passed Check. Result: Entries; Grants, one for each entry, with q.Begin. It fails with ErrNoMatch,
// ErrTxnEnded, and ErrTooLarge if the transaction would hold too many entries.
func (e *Engine) Find(now int64, q *call.Query) call.Result {
	r, x := e.StartFind(now, unbounded, q)
	return x.finish(now, r)
}

// answer carries out q with its hits.
func (e *Engine) answer(q *call.Query, t *transaction, hits []hit) call.Result {
	hits = e.affordable(hits)
	depends := e.depends(q)
	hidden := 0
	if q.Hidden {
		hidden = e.hidden(q, t)
	}
	if len(hits) == 0 {
		return call.Result{Err: call.ErrNoMatch, Count: hidden, Depends: depends}
	}
	if t != nil && !q.Reserve {
		if err := e.roomToLock(t, q.Take, hits); err != nil {
			return failed(err)
		}
	}
	for _, h := range hits {
		e.views = append(e.views, h.k.view(e, h.s))
		depends = max(depends, h.k.At(h.s).LSN)
	}
	switch {
	case q.Reserve:
		e.views[0].Txn = e.reserve(hits[0].k, hits[0].s)
		return call.Result{Entries: e.views, Depends: max(depends, e.reservedAt)}
	case q.Begin:
		e.takeEach(q, hits)
		return call.Result{Entries: e.views, Grants: e.grants, Depends: max(depends, e.reservedAt)}
	case t != nil:
		more := t.holds > 0 // a restart must not keep some of the takes and lose the rest
		e.lockAll(t, q.Take, hits)
		if depends = max(depends, t.volatileAt); more {
			depends = e.lsn
		}
	case q.Take:
		for i, h := range hits {
			e.take(h.k, h.s, q.By, i > 0)
		}
		depends = e.lsn
	}
	return call.Result{Entries: e.views, Count: hidden, Depends: depends}
}

// takeEach takes each hit under its own transaction.
func (e *Engine) takeEach(q *call.Query, hits []hit) {
	for i, h := range hits {
		t, granted := e.beginTxn(q.Lease, q.By, q.Holder)
		e.seize(t, h.k, h.s)
		e.views[i].Txn = t.id
		e.grants = append(e.grants, call.Grant{ID: t.id, Granted: granted})
	}
}

// lockAll takes or read-locks the hits under t.
func (e *Engine) lockAll(t *transaction, take bool, hits []hit) {
	for _, h := range hits {
		if take {
			e.seize(t, h.k, h.s)
		} else {
			e.share(t, h.k, h.s)
		}
	}
	e.settle()
}

// affordable returns as many hits as fit into one answer.
func (e *Engine) affordable(hits []hit) []hit {
	size := 0
	for i, h := range hits {
		if size += int(h.k.At(h.s).Size); size >= call.AnswerBytes {
			return hits[:i+1]
		}
	}
	return hits
}

// None returns the result of a wait for q that ended without a match.
func (e *Engine) None(q *call.Query) call.Result {
	return call.Result{Err: call.ErrNoMatch, Depends: e.depends(q)}
}

// depends returns the change that must be durable for the result of q to stay true: the last removal, or the last
// change of the embedded kinds.
func (e *Engine) depends(q *call.Query) uint64 {
	var lsn uint64
	for _, k := range e.scope(q) {
		lsn = max(lsn, k.removed, k.registered)
	}
	return lsn
}

// scope returns the kinds that q searches, possibly with repetitions.
func (e *Engine) scope(q *call.Query) []*kind {
	if len(q.Templates) == 1 && q.Templates[0].Kind != 0 {
		return e.selected(q.Templates[0].Kind).family
	}
	var all []*kind
	for i := range q.Templates {
		if q.Templates[i].Kind == 0 {
			return e.kinds
		}
		all = append(all, e.selected(q.Templates[i].Kind).family...)
	}
	return all
}

// Count counts the entries that match q; it ignores Max. Result: Count.
func (e *Engine) Count(now int64, q *call.Query) call.Result {
	r, x := e.StartCount(now, unbounded, q)
	return x.finish(now, r)
}

// countNow counts the entries that match q, unless that exceeds the budget.
func (e *Engine) countNow(q *call.Query, t *transaction) (n int, ok bool) {
	if len(q.Templates) == 1 && len(q.Templates[0].Conds) == 0 && q.ID == 0 {
		for _, k := range e.scope(q) {
			n += k.visible(e, t)
		}
		return n, !e.late()
	}
	all := *q
	all.Max, all.Order, all.Take = unbounded, nil, false
	hits, ok := e.find(&all, t)
	return len(hits), ok
}

// changed returns the change that must be durable for the count of q to stay true: the last to any of its kinds.
func (e *Engine) changed(q *call.Query) (lsn uint64) {
	for _, k := range e.scope(q) {
		lsn = max(lsn, k.changed, k.registered)
	}
	return lsn
}

// apart counts the entries that are committed but not visible.
func (k *kind) apart() call.Apart {
	return call.Apart{Held: len(k.locked) - int(k.Shared.Len()) - k.staged, Delayed: len(k.later)}
}

// Totals counts the entries of all kinds, visible and not, including expired ones that are not reclaimed yet.
func (e *Engine) Totals() (visible int, apart call.Apart) {
	for _, k := range e.kinds {
		visible += int(k.Free.Len() + k.Shared.Len())
		a := k.apart()
		apart.Held += a.Held
		apart.Delayed += a.Delayed
	}
	return visible, apart
}

// Kinds counts the entries of every kind. Result: Counts and Apart, by KindID-1.
func (e *Engine) Kinds(now int64) call.Result {
	for {
		if r, done := (kindsCall{e}).Step(now, unbounded); done {
			return r
		}
	}
}

// StartKinds is Kinds, except that if much has expired it returns a call to be continued.
func (e *Engine) StartKinds(now int64, budget int) (call.Result, Unfinished) {
	c := kindsCall{e}
	if r, done := c.Step(now, budget); done {
		return r, nil
	}
	return call.Result{}, c
}

// kindsCall is a call of Kinds that waits until expired entries are reclaimed.
type kindsCall struct{ e *Engine }

// Step implements Unfinished.
func (c kindsCall) Step(now int64, _ int) (r call.Result, done bool) {
	e := c.e
	e.begin(now)
	if e.late() {
		return r, false
	}
	for _, k := range e.kinds {
		n := -1
		if !k.dropped {
			n = k.visible(e, nil)
		}
		e.counts = append(e.counts, n)
		e.apart = append(e.apart, k.apart())
		r.Depends = max(r.Depends, k.changed, k.registered)
	}
	r.Counts, r.Apart = e.counts, e.apart
	return r, true
}

// Blocked implements Unfinished.
func (c kindsCall) Blocked() bool { return false }

// Close implements Unfinished.
func (c kindsCall) Close() {}

// pageBudget is the number of entries that Contents examines in one call, so that no call takes long.
const pageBudget = 1 << 13

// Contents returns the next page of the entries that match q, at most q.Max. The cursor is zero for the first page, and
// afterwards the Cursor of the last Result. A page may be empty though more follow. Entries that stay while the pages
// are read are returned exactly once, since an entry keeps its slot; entries written meanwhile are not returned. Under
// a transaction the entries of a page are read-locked. Result: Entries, More, Cursor. It fails with ErrTxnEnded, and
// ErrTooLarge if the transaction would hold too many.
func (e *Engine) Contents(now int64, q *call.Query, cursor call.Cursor) call.Result {
	e.begin(now)
	t, err := e.under(q.Txn)
	if err != nil {
		return e.refused(err)
	}
	if q.ID != 0 {
		return e.contentsOfOne(q, t)
	}
	if cursor == (call.Cursor{}) {
		cursor.Last = e.lastID
	}
	e.left = pageBudget
	p := answerPage{e: e, q: q, t: t, cursor: cursor}
	r := call.Result{More: p.fill(), Count: p.hidden, Depends: p.depends}
	if p.err != nil && len(e.views) == 0 {
		return failed(p.err)
	}
	if r.More {
		r.Cursor = p.cursor
	}
	if t != nil {
		r.Depends = max(r.Depends, t.volatileAt)
	}
	r.Entries = e.views
	e.settle()
	return r
}

// contentsOfOne is Contents for a query that names the entry.
func (e *Engine) contentsOfOne(q *call.Query, t *transaction) call.Result {
	r := call.Result{}
	for _, k := range e.scope(q) {
		r.Depends = max(r.Depends, k.changed, k.registered)
	}
	e.left = unbounded // one entry does not exceed the budget
	hits, _ := e.find(q, t)
	if t != nil {
		if err := e.roomToLock(t, false, hits); err != nil {
			return failed(err)
		}
	}
	r.Count = e.hidden(q, t)
	for _, h := range hits {
		e.views = append(e.views, h.k.view(e, h.s))
		if t != nil {
			e.share(t, h.k, h.s)
			r.Depends = max(r.Depends, t.volatileAt)
		}
	}
	e.settle()
	r.Entries = e.views
	return r
}

// answerPage is a page of contents that is being filled.
type answerPage struct {
	e       *Engine
	q       *call.Query
	t       *transaction
	cursor  call.Cursor
	size    int // of the rows, in bytes
	hidden  int // matches locked by others
	depends uint64
	err     error // t may not lock more
}

// fill examines entries from the cursor on, and reports whether some are left for another page.
func (p *answerPage) fill() (more bool) {
	for i := int(p.cursor.Place >> 32); i < len(p.e.kinds); i++ {
		k := p.e.kinds[i]
		from := slot(1)
		if i == int(p.cursor.Place>>32) {
			from = slot(p.cursor.Place) + 1
		}
		if p.fillFrom(k, from) {
			return true
		}
	}
	return false
}

// fillFrom is fill for one kind, from a slot on.
func (p *answerPage) fillFrom(k *kind, from slot) (more bool) {
	conds, wanted := p.e.condsOf(p.q, k)
	if !wanted {
		return false
	}
	p.depends = max(p.depends, k.changed, k.registered)
	unit := 1
	for _, c := range conds {
		unit += operands(c)
	}
	for s := from; s <= k.Top(); s++ {
		if p.e.left <= 0 || len(p.e.views) == p.q.Max || p.size >= call.AnswerBytes {
			p.cursor.Place = uint64(k.id-1)<<32 | uint64(s-1)
			return true
		}
		p.e.left -= unit
		if p.err = p.look(k, s, conds); p.err != nil {
			p.cursor.Place = uint64(k.id-1)<<32 | uint64(s-1)
			return true
		}
	}
	return false
}

// look adds the entry in slot s if the query asks for it. It returns ErrTooLarge if the transaction may not lock it.
func (p *answerPage) look(k *kind, s slot, conds [][]template.Cond) error {
	e, en := p.e, k.At(s)
	if en.ID == 0 || en.ID > p.cursor.Last {
		return nil
	}
	if !k.availableTo(p.t, s, false) {
		if k.hiddenFrom(e, p.t, s, conds) {
			p.hidden++
		}
		return nil
	}
	if !k.alive(e, s) || !matchAny(conds, k.Row(s)) {
		return nil
	}
	if p.t != nil {
		if err := e.roomToLock(p.t, false, []hit{{k, s}}); err != nil {
			return err
		}
		e.share(p.t, k, s)
	}
	e.views = append(e.views, k.view(e, s))
	p.size += int(en.Size)
	return nil
}

// condsOf returns the conditions of each template of q that selects entries of k; false if none does.
func (e *Engine) condsOf(q *call.Query, k *kind) (conds [][]template.Cond, wanted bool) {
	for i := range q.Templates {
		t := &q.Templates[i]
		if t.Kind == 0 {
			return nil, true
		}
		for _, a := range k.lineage {
			if a.id == t.Kind {
				conds = append(conds, k.condsFor(a.kind, t.Conds))
			}
		}
	}
	return conds, len(conds) > 0
}

// matchAny reports whether row matches one of the templates; no templates at all match everything.
func matchAny(templates [][]template.Cond, row template.Row) bool {
	for _, conds := range templates {
		if matchAll(conds, row) {
			return true
		}
	}
	return len(templates) == 0
}
