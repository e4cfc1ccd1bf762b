package engine

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// model is the simplest possible space: a slice of entries, oldest first, each of which names the transactions that
// have written, changed, read or taken it. Random programs must not be able to tell it from the engine.
//
// It has no lists of locks and no indexes: every question is answered by examining the whole state. To find which calls
// can be served, it asks again for every waiting call; to find events of availability, it compares what was available
// before and after a change.
type model struct {
	now           int64
	lastOrder     uint64
	entries       []*modelEntry        // oldest first
	txns          map[uint64]*modelTxn // open
	waiting       []*modelWaiter       // in order of arrival
	registrations []*modelRegistration

	// Effects of the current call.
	granted []*modelWaiter
	events  []modelEvent
	ended   []uint64 // registrations
	doomed  []txn.ID // branches of transactions of other spaces
	late    []uint64 // entries whose delay is over, and whose lease starts at an instant that no call chose

	// Free choices of the engine in the current call.
	begun map[uint64]uint64 // by entry: the transaction begun for it
}

type modelEntry struct {
	id, order uint64
	kind      call.KindID
	row       template.Row
	version   uint32
	attempts  uint32
	expires   int64
	visible   int64 // not visible before this time, if not 0

	writer  uint64       // the open transaction that has written it
	changer uint64       // the open transaction that has changed it
	change  template.Row // by changer
	taker   uint64       // the open transaction that has taken it
	taken   uint64       // rises with every take
	readers []uint64     // the open transactions that have read it
	later   int64        // taker puts it back, not visible before this time, if not 0
}

// modelTxn is an open transaction. Transactions are named by their numbers; branches of transactions of another space
// by numbers above foreign.
type modelTxn struct {
	age      uint64 // rises
	expires  int64
	prepared bool
	volatile bool // it has done more than take
	restored bool // it has survived a crash, and its lease was not renewed since
}

const foreign = 1 << 60

// key returns the model's number of a transaction; 0 is none.
func key(id txn.ID) uint64 {
	if id.Space != "" {
		return foreign + id.Number
	}
	return id.Number
}

// under is the inverse of key.
func under(key uint64) txn.ID {
	if key > foreign {
		return txn.ID{Space: "far", Number: key - foreign}
	}
	return txn.ID{Number: key}
}

// byAge returns the open transactions, oldest first.
func (m *model) byAge() []uint64 {
	return slices.SortedFunc(maps.Keys(m.txns), func(a, b uint64) int { return cmp.Compare(m.txns[a].age, m.txns[b].age) })
}

type modelWaiter struct {
	w   *Waiter
	q   *call.Query
	got []modelView
	err error // why it ended without a result
}

// modelView is an entry as a call sees it.
type modelView struct {
	id       uint64
	kind     call.KindID
	row      string
	version  uint32
	attempts uint32
	txn      uint64
}

type modelRegistration struct {
	id, seq uint64
	q       *call.Query
	on      call.EventSet
	expires int64
}

type modelEvent struct {
	registration uint64
	typ          call.EventType
	entry        modelView
}

// An entry as a transaction sees it, or a call without one: 0.

// exists reports whether an entry's lease runs and its delay is over.
func (m *model) exists(e *modelEntry) bool { return e.expires > m.now && e.visible == 0 }

func mine(owner, t uint64) bool { return owner == 0 || owner == t }

func (m *model) readable(t uint64, e *modelEntry) bool {
	return m.exists(e) && mine(e.writer, t) && mine(e.changer, t) && e.taker == 0
}

func (m *model) takeable(t uint64, e *modelEntry) bool {
	return m.readable(t, e) && !slices.ContainsFunc(e.readers, func(r uint64) bool { return r != t })
}

// obtainable is readable or takeable, depending on q.
func (m *model) obtainable(q *call.Query, e *modelEntry) bool {
	if q.Take {
		return m.takeable(key(q.Txn), e)
	}
	return m.readable(key(q.Txn), e)
}

// contended reports whether q cannot have e because others have locked it. An entry taken by q's own transaction is no
// conflict.
func (m *model) contended(q *call.Query, e *modelEntry) bool {
	return m.exists(e) && !m.obtainable(q, e) && (e.taker == 0 || e.taker != key(q.Txn))
}

// holders returns the transactions other than q's that keep q from having e.
func (m *model) holders(q *call.Query, e *modelEntry) []uint64 {
	all := []uint64{e.writer, e.changer, e.taker}
	if q.Take {
		all = append(all, e.readers...)
	}
	return slices.DeleteFunc(all, func(t uint64) bool { return t == 0 || t == key(q.Txn) })
}

// rowFor returns the fields of e as t sees them.
func (e *modelEntry) rowFor(t uint64) template.Row {
	if t != 0 && e.changer == t {
		return e.change
	}
	return e.row
}

func (e *modelEntry) view(t uint64) modelView {
	v := modelView{id: e.id, kind: e.kind, row: string(e.rowFor(t)), version: e.version, attempts: e.attempts}
	if t != 0 && e.changer == t {
		v.version++
	}
	return v
}

// Matching.

func (m *model) matches(q *call.Query, e *modelEntry, row template.Row) bool {
	return (q.ID == 0 || q.ID == e.id) &&
		slices.ContainsFunc(q.Templates, func(t call.Template) bool { return matchesModel(&t, e.kind, row) })
}

func matchesModel(t *call.Template, kind call.KindID, row template.Row) bool {
	if t.Kind == 0 {
		return true
	}
	if t.Kind != kind && (t.Kind != animalKind || kind != dogKind) {
		return false
	}
	for _, c := range t.Conds {
		f := c.Field
		if t.Kind == animalKind {
			f = animalFields[kind][f]
		}
		if !c.Match(row.Field(f)) {
			return false
		}
	}
	return true
}

// find returns everything that q can have, in the order of q.
func (m *model) find(q *call.Query) []*modelEntry {
	var found []*modelEntry
	t := key(q.Txn)
	for _, e := range m.entries {
		if m.obtainable(q, e) && m.matches(q, e, e.rowFor(t)) {
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(a, b *modelEntry) int {
		for _, o := range q.Order {
			fa, fb := o.Field, o.Field
			if q.Templates[0].Kind == animalKind {
				fa, fb = animalFields[a.kind][fa], animalFields[b.kind][fb]
			}
			if c := bytes.Compare(a.rowFor(t).Field(fa), b.rowFor(t).Field(fb)); c != 0 {
				if o.Desc {
					return -c
				}
				return c
			}
		}
		return 0
	})
	return found
}

// locked returns the matches that keep an IfExists call waiting: those that others have locked.
func (m *model) locked(q *call.Query) []*modelEntry {
	var found []*modelEntry
	for _, e := range m.entries {
		if m.contended(q, e) && (m.matches(q, e, e.row) || e.changer != 0 && m.matches(q, e, e.change)) {
			found = append(found, e)
		}
	}
	return found
}

// inHand returns the matches that transactions have taken, oldest first.
func (m *model) inHand(q *call.Query) (found []*modelEntry) {
	for _, e := range m.entries {
		if m.exists(e) && e.taker != 0 && m.matches(q, e, e.row) {
			found = append(found, e)
		}
	}
	return found
}

// apart counts the entries of a kind that are held, and those that are delayed.
func (m *model) apart(k call.KindID) (n call.Apart) {
	for _, e := range m.entries {
		switch {
		case e.kind != k || e.writer != 0 || e.expires <= m.now && e.visible == 0:
		case e.visible != 0:
			n.Delayed++
		case e.taker != 0 || e.changer != 0:
			n.Held++
		}
	}
	return n
}

func (m *model) entry(id uint64) *modelEntry {
	for _, e := range m.entries {
		if e.id == id {
			return e
		}
	}
	return nil
}

func (m *model) remove(gone *modelEntry) {
	m.entries = slices.DeleteFunc(m.entries, func(e *modelEntry) bool { return e == gone })
}

// become puts e at the end of the order.
func (m *model) become(e *modelEntry) {
	m.lastOrder++
	e.order = m.lastOrder
	m.remove(e)
	m.entries = append(m.entries, e)
}

// left returns the rest of the lease of e at a time.
func (e *modelEntry) left(at int64) int64 {
	if e.expires == call.Forever {
		return call.Forever
	}
	return e.expires - at
}

// until returns the end of a lease of d that starts at from.
func until(from, d int64) int64 {
	if d >= call.Forever-from {
		return call.Forever
	}
	return from + d
}

// Calls. Arguments whose names end in IDs are identities chosen by the engine.

// begin starts a call: leases end, and delayed entries become visible, in the order of time.
func (m *model) begin(now int64) {
	m.granted, m.events, m.ended, m.doomed = nil, nil, nil, nil
	m.now = max(m.now, now)
	for {
		at, what := m.nextEnd()
		if at > m.now {
			m.finish()
			return
		}
		m.change(what)
	}
}

// nextEnd returns the next time at which something ends by itself, and the function that ends it.
func (m *model) nextEnd() (at int64, what func()) {
	at = call.Forever
	next := func(t int64, f func()) {
		if t < at {
			at, what = t, f
		}
	}
	for _, r := range m.registrations {
		next(r.expires, func() { m.endRegistration(r) })
	}
	for _, t := range slices.Backward(m.byAge()) { // within one call the youngest first
		next(m.txns[t].expires, func() {
			for _, e := range m.entries {
				if e.taker == t && !m.txns[t].restored {
					e.attempts++
				}
			}
			m.undo(t, nil)
			m.end(t, call.ErrTxnEnded)
		})
	}
	for _, e := range m.entries {
		next(e.expires, func() {
			m.emit(call.Expired, e)
			m.remove(e)
		})
		if e.visible != 0 && e.writer == 0 {
			next(e.visible, func() {
				e.expires = until(m.now, e.left(e.visible))
				e.visible = 0
				m.late = append(m.late, e.id)
				m.become(e)
				if e.attempts == 0 && m.exists(e) {
					m.emit(call.Written, e)
				}
			})
		}
	}
	return at, what
}

func (m *model) endRegistration(r *modelRegistration) {
	m.ended = append(m.ended, r.id)
	m.registrations = slices.DeleteFunc(slices.Clone(m.registrations), func(o *modelRegistration) bool { return o == r })
}

func (m *model) write(t uint64, drafts []call.Draft, ids []uint64) {
	m.change(func() { m.store(t, drafts, ids) })
}

func (m *model) store(t uint64, drafts []call.Draft, ids []uint64) {
	m.spoil(t)
	for i, d := range drafts {
		e := &modelEntry{id: ids[i], kind: d.Kind, row: d.Row, version: 1, writer: t, expires: until(m.now+d.Delay, d.Lease)}
		if d.Delay > 0 {
			e.visible = m.now + d.Delay
		}
		if d.Lease == 0 {
			continue
		}
		m.become(e)
		if e.visible == 0 {
			m.emit(call.Written, e)
		}
	}
}

// spoil records that t, if it is a transaction, has done more than take.
func (m *model) spoil(t uint64) {
	if t != 0 {
		m.txns[t].volatile = true
	}
}

// obtain is a read or take that does not wait.
func (m *model) obtain(q *call.Query) (got []modelView) {
	m.change(func() { got = m.grab(q, q.Max) })
	return got
}

// grab gives q up to n entries.
func (m *model) grab(q *call.Query, n int) (got []modelView) {
	found := m.find(q)
	for _, e := range found[:min(n, len(found))] {
		got = append(got, m.give(q, e))
	}
	return got
}

// give locks or removes e for q.
func (m *model) give(q *call.Query, e *modelEntry) modelView {
	t := key(q.Txn)
	v := e.view(t)
	switch {
	case q.Begin:
		m.lastOrder++
		e.taker, e.taken = m.begun[e.id], m.lastOrder
		v.txn = e.taker
		m.txns[e.taker] = &modelTxn{age: e.taker, expires: until(m.now, q.Lease)}
	case q.Take && t != 0 && e.writer == t:
		m.remove(e)
	case q.Take && t != 0:
		e.changer, e.change = 0, nil
		m.lastOrder++
		e.taker, e.taken = t, m.lastOrder
	case q.Take:
		m.emit(call.Taken, e)
		m.remove(e)
	case t != 0 && !slices.Contains(e.readers, t):
		m.spoil(t)
		e.readers = append(e.readers, t)
	}
	return v
}

func (m *model) commit(t uint64, drafts []call.Draft, ids []uint64) {
	m.write(t, drafts, ids)
	m.change(func() {
		m.end(t, call.ErrTxnEnded)
		var taken []*modelEntry
		for _, e := range slices.Clone(m.entries) {
			e.readers = slices.DeleteFunc(e.readers, func(r uint64) bool { return r == t })
			switch {
			case e.taker == t:
				taken = append(taken, e)
			case e.changer == t:
				e.row, e.version = e.change, e.version+1
				e.changer, e.change = 0, nil
				m.emit(call.Updated, e)
			case e.writer == t:
				e.writer = 0
				m.become(e)
				if e.visible <= m.now {
					if e.visible != 0 {
						m.late = append(m.late, e.id)
					}
					e.visible = 0
					m.emit(call.Written, e)
				}
			}
		}
		slices.SortFunc(taken, func(a, b *modelEntry) int { return cmp.Compare(a.taken, b.taken) })
		for _, e := range taken {
			if e.taker = 0; e.later == 0 {
				m.emit(call.Taken, e)
				m.remove(e)
				continue
			}
			e.attempts++
			e.expires = until(max(m.now, e.later), e.left(m.now))
			e.visible, e.later = e.later, 0
			if e.visible <= m.now {
				e.visible = 0
			}
			m.become(e)
		}
	})
}

// prepare ensures that t can be committed whatever happens. It returns false if there is nothing to commit: t has then
// ended.
func (m *model) prepare(t uint64) bool {
	if m.txns[t].prepared {
		return true
	}
	if !slices.ContainsFunc(m.entries,
		func(e *modelEntry) bool { return e.taker == t || e.changer == t || e.writer == t }) {
		m.abort(t, call.ErrTxnEnded)
		return false
	}
	m.change(func() {
		m.endCalls(t, call.ErrTxnEnded)
		m.txns[t].prepared, m.txns[t].expires = true, call.Forever
		for _, e := range m.entries {
			e.readers = slices.DeleteFunc(e.readers, func(r uint64) bool { return r == t })
		}
	})
	return true
}

func (m *model) abort(t uint64, why error) {
	m.change(func() {
		m.undo(t, nil)
		m.end(t, why)
	})
}

func (m *model) rollback(t uint64, keep []uint64) {
	m.change(func() { m.undo(t, keep) })
}

// undo undoes what was done under t, except for the takes of the entries in keep.
func (m *model) undo(t uint64, keep []uint64) {
	for _, e := range slices.Clone(m.entries) {
		e.readers = slices.DeleteFunc(e.readers, func(r uint64) bool { return r == t })
		if e.writer == t {
			m.remove(e)
		}
		if e.changer == t {
			e.changer, e.change = 0, nil
		}
		if e.taker == t {
			e.later = 0
			if !slices.Contains(keep, e.id) {
				e.taker = 0
			}
		}
	}
}

// end ends t, its waiting calls, and its registrations.
func (m *model) end(t uint64, why error) {
	delete(m.txns, t)
	m.endCalls(t, why)
}

// endCalls ends the waiting calls of t, and its registrations.
func (m *model) endCalls(t uint64, why error) {
	for _, w := range m.waiting {
		if key(w.q.Txn) == t {
			m.grant(w, why)
		}
	}
	for _, r := range m.registrations {
		if key(r.q.Txn) == t {
			m.endRegistration(r)
		}
	}
}

func (m *model) deferEntry(t, id uint64, delay int64) error {
	e := m.entry(id)
	if e == nil || e.taker != t || e.expires <= m.now {
		return call.ErrNoMatch
	}
	e.later = m.now + delay
	return nil
}

func (m *model) update(t uint64, c call.Change) (version uint32, err error) {
	m.change(func() {
		e := m.entry(c.ID)
		switch {
		case e == nil || !m.exists(e) || !mine(e.writer, t) || t != 0 && e.taker == t:
			err = call.ErrNoMatch
		case !m.takeable(t, e):
			err = call.ErrLocked
		case c.Version != 0 && c.Version != e.view(t).version:
			err = call.ErrVersionConflict
		case t == 0:
			e.row, e.version = c.Row, e.version+1
			m.emit(call.Updated, e)
		case e.writer == t:
			e.row = c.Row
			m.emit(call.Updated, e)
		default:
			e.changer, e.change = t, c.Row
			m.emit(call.Updated, e)
		}
		if err == nil {
			m.spoil(t)
			version = e.view(t).version
		}
	})
	return version, err
}

func (m *model) notify(id uint64, q *call.Query, on call.EventSet, lease int64) {
	m.spoil(key(q.Txn))
	if lease == 0 {
		m.ended = append(m.ended, id)
		return
	}
	m.registrations = append(m.registrations, &modelRegistration{id: id, q: q, on: on, expires: until(m.now, lease)})
}

// renew returns false if the lease has ended.
func (m *model) renew(id uint64, d int64) bool {
	if t := m.txns[id]; t != nil {
		t.expires, t.restored = until(m.now, d), false
		return true
	}
	for _, r := range m.registrations {
		if r.id == id {
			r.expires = until(m.now, d)
			return true
		}
	}
	e := m.entry(id)
	if e == nil {
		return false
	}
	e.expires = until(max(m.now, e.visible), d)
	m.emit(call.Renewed, e)
	return true
}

func (m *model) cancel(id uint64) bool {
	if _, ok := m.txns[id]; ok {
		m.abort(id, call.ErrTxnEnded)
		return true
	}
	for _, r := range m.registrations {
		if r.id == id {
			m.endRegistration(r)
			return true
		}
	}
	e := m.entry(id)
	if e == nil {
		return false
	}
	m.change(func() {
		m.emit(call.Cancelled, e)
		m.remove(e)
		if t := e.taker; t != 0 && !m.txns[t].prepared {
			if t > foreign {
				m.doomed = append(m.doomed, under(t))
			}
			m.undo(t, nil)
			m.end(t, errCancelled)
		}
	})
	return true
}

// park makes q wait; it returns false if q is an IfExists call with nothing to wait for.
func (m *model) park(w *Waiter, q *call.Query) bool {
	if (q.IfExists || q.ID != 0) && len(m.locked(q)) == 0 {
		return false
	}
	m.waiting = append(m.waiting, &modelWaiter{w: w, q: q})
	return true
}

// crash keeps only the state that the log has, and ends the transactions that it knows and that have done more than
// take.
func (m *model) crash() {
	m.waiting, m.registrations = nil, slices.DeleteFunc(m.registrations,
		func(r *modelRegistration) bool { return key(r.q.Txn) != 0 })
	var volatile []uint64
	for _, t := range m.byAge() {
		switch holding := m.outlasts(t); {
		case m.txns[t].prepared:
		case !holding:
			m.undo(t, nil)
			delete(m.txns, t)
		case m.txns[t].volatile:
			volatile = append(volatile, t)
			m.undo(t, m.takenBy(t))
		default:
			m.txns[t].restored = true
		}
	}
	m.begin(m.now)
	for _, t := range volatile {
		m.abort(t, call.ErrTxnEnded)
	}
}

// handOver ends what does not outlast a planned change of primaries.
func (m *model) handOver() {
	for _, t := range m.byAge() {
		switch {
		case m.txns[t].prepared:
		case m.outlasts(t) && !m.txns[t].volatile:
			m.txns[t].restored = true
		default:
			m.abort(t, call.ErrTxnEnded)
		}
	}
}

// outlasts reports whether the log knows the entries that t has taken.
func (m *model) outlasts(t uint64) bool { return t < foreign && len(m.takenBy(t)) > 0 }

// takenBy returns the entries that t has taken.
func (m *model) takenBy(t uint64) (ids []uint64) {
	for _, e := range m.entries {
		if e.taker == t {
			ids = append(ids, e.id)
		}
	}
	return ids
}

// Consequences of a change.

// change changes the state and applies the consequences: events, waits that are served, waits that end for want of a
// match.
func (m *model) change(f func()) {
	before, told := m.availability(), len(m.events)
	f()
	m.announce(before, told)
	m.serve()
	for _, w := range m.waiting {
		if (w.q.IfExists || w.q.ID != 0) && len(m.locked(w.q)) == 0 {
			m.grant(w, call.ErrNoMatch)
		}
	}
}

type availability struct {
	registration *modelRegistration
	entry        *modelEntry
}

// availability returns, for every registration, which entries are visible and which can be taken.
func (m *model) availability() map[call.EventType]map[availability]bool {
	now := map[call.EventType]map[availability]bool{call.Visible: {}, call.Available: {}}
	for _, r := range m.registrations {
		for _, e := range m.entries {
			now[call.Visible][availability{r, e}] = m.readable(key(r.q.Txn), e)
			now[call.Available][availability{r, e}] = m.takeable(key(r.q.Txn), e)
		}
	}
	return now
}

// announce sends events for entries that have become visible, and for entries that can be taken and could not before.
// One transition is one event, of the most specific type requested: what was sent since told is not sent again.
func (m *model) announce(before map[call.EventType]map[availability]bool, told int) {
	after := m.availability()
	for _, r := range m.registrations {
		for _, e := range m.entries {
			a := availability{r, e}
			if slices.ContainsFunc(m.events[told:], func(ev modelEvent) bool {
				return ev.registration == r.id && ev.entry.id == e.id && (ev.typ == call.Written || ev.typ == call.Updated)
			}) {
				continue
			}
			for _, typ := range []call.EventType{call.Visible, call.Available} {
				if r.on.Has(typ) && after[typ][a] && !before[typ][a] {
					m.tell(r, typ, e)
					break
				}
			}
		}
	}
}

// emit sends the event of a change to e. A change that is not committed is seen only under its transaction; an entry
// that was never visible causes no event.
func (m *model) emit(typ call.EventType, e *modelEntry) {
	if e.visible != 0 && e.attempts == 0 {
		return
	}
	secret := e.writer
	if typ == call.Updated && secret == 0 {
		secret = e.changer
	}
	for _, r := range m.registrations {
		if mine(secret, key(r.q.Txn)) && (secret == 0 || typ == call.Written || typ == call.Updated) {
			m.tell(r, typ, e)
		}
	}
}

func (m *model) tell(r *modelRegistration, typ call.EventType, e *modelEntry) {
	t := key(r.q.Txn)
	if typ == call.Expired || typ == call.Cancelled || typ == call.Renewed {
		t = 0 // the end of a lease is no part of the transaction
	}
	if r.on.Has(typ) && r.expires > m.now && m.matches(r.q, e, e.rowFor(t)) {
		m.events = append(m.events, modelEvent{r.id, typ, e.view(t)})
	}
}

// serve serves the waiting calls: first all reads, then takes, each in order of arrival.
func (m *model) serve() {
	for _, take := range []bool{false, true} {
		for _, w := range m.waiting {
			if w.q.Take != take {
				continue
			}
			if w.got = m.grab(w.q, w.q.Max); len(w.got) > 0 {
				m.grant(w, nil)
			}
		}
	}
}

// grant ends the wait of w.
func (m *model) grant(w *modelWaiter, err error) {
	w.err = err
	m.granted = append(m.granted, w)
	m.waiting = slices.DeleteFunc(slices.Clone(m.waiting), func(o *modelWaiter) bool { return o == w })
}

// finish ends a call: it aborts the youngest transaction of each deadlock.
func (m *model) finish() {
	for _, t := range m.byAge() {
		for m.txns[t] != nil {
			circle := m.deadlock(t)
			if len(circle) == 0 {
				break
			}
			victim := slices.MaxFunc(circle, func(a, b uint64) int { return cmp.Compare(m.txns[a].age, m.txns[b].age) })
			if victim > foreign {
				m.doomed = append(m.doomed, under(victim))
			}
			m.abort(victim, call.ErrDeadlock)
		}
	}
}

// deadlock returns the transactions with which t waits in a cycle that nothing outside can resolve; t is among them.
func (m *model) deadlock(t uint64) []uint64 {
	circle := slices.Collect(maps.Keys(m.txns))
	for {
		hopeless := m.hopeless(circle)
		behind := m.awaited(t, hopeless)
		smaller := slices.DeleteFunc(behind, func(o uint64) bool { return !slices.Contains(m.awaited(o, hopeless), t) })
		if len(smaller) == len(circle) || len(smaller) == 0 {
			return smaller
		}
		circle = smaller // transactions that depend on others than these are not resolved here
	}
}

// hopeless returns the transactions of some that can never continue, even if all others end: all of their calls wait,
// and each lock that a call waits for is held by another hopeless one.
func (m *model) hopeless(some []uint64) []uint64 {
	left := slices.Clone(some)
	for {
		still := slices.DeleteFunc(slices.Clone(left), func(t uint64) bool { return m.hasHope(t, left) })
		if len(still) == len(left) {
			return left
		}
		left = still
	}
}

// hasHope reports whether t has no waiting call, or one that can continue when all end except those in but.
func (m *model) hasHope(t uint64, but []uint64) bool {
	calls := m.calls(t)
	for _, w := range calls {
		locked := m.locked(w.q)
		opens := func(e *modelEntry) bool {
			return !slices.ContainsFunc(m.holders(w.q, e), func(h uint64) bool { return slices.Contains(but, h) })
		}
		if len(locked) == 0 || slices.ContainsFunc(locked, opens) {
			return true
		}
	}
	return len(calls) == 0
}

// awaited returns the transactions of some for which t waits, directly or indirectly; t may be among them.
func (m *model) awaited(t uint64, some []uint64) (all []uint64) {
	for todo := []uint64{t}; len(todo) > 0; todo = todo[1:] {
		for _, w := range m.calls(todo[0]) {
			for _, e := range m.locked(w.q) {
				for _, h := range m.holders(w.q, e) {
					if slices.Contains(some, h) && !slices.Contains(all, h) {
						all, todo = append(all, h), append(todo, h)
					}
				}
			}
		}
	}
	return all
}

// calls returns the waiting calls of t.
func (m *model) calls(t uint64) (found []*modelWaiter) {
	for _, w := range m.waiting {
		if key(w.q.Txn) == t {
			found = append(found, w)
		}
	}
	return found
}
