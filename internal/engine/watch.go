package engine

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/store"
	"github.com/gospaces/gospaces/template"
)

// Waiter is a call that waits for an entry. Engine.Park creates it.
type Waiter struct {
	Query *call.Query
	Owner any // a value for the caller of Park

	Got    []call.View  // the entries it got; valid as a View is
	Grants []call.Grant // the transactions begun for them, with Query.Begin
	Err    error        // why it ended without a result, or nil
	Again  bool         // the call has to search again: there may or may not be a match

	txn     *transaction // under which the call waits, or nil
	arrival uint64
	parked  bool
	brief   bool // it waits for the ends of reservations only
	nodes   []node
	first   [1]node // for a query with one template, so that serving it touches little memory
}

// registration is a standing request for events.
type registration struct {
	id      uint64
	expires int64
	filed   int64  // the tick under which it is filed; 0: none
	seq     uint64 // of its last event
	query   *call.Query
	on      call.EventSet
	txn     *transaction // under which it was made; nil if the log knows it
	nodes   []node
	offered uint64 // number of the last offer, so that two matching templates cause one event
	at      int    // place in enrolled
	imaged  uint16 // the last image that no longer needs it
}

// node files one template of a waiter or a registration in a bucket.
type node struct {
	waiter     *Waiter
	listener   *registration
	template   *call.Template
	conds      []template.Cond // of template
	group      *watchGroup
	hash       uint64
	next, prev *node
	interval   *interval // of a node in a crowd, which is in no list
}

// watch is an index of waiting calls and registrations: by the fields that their templates fix, then by the values of
// these. A written entry meets only nodes whose fixed values it has, however many wait. Calls that wait for one entry
// are in a group of their own, by its identity.
//
// A write examines each group once. To keep that cheap, only a few combinations of fields get groups; a template with
// any other combination is filed by a single field.
type watch struct {
	groups []*watchGroup
	sets   int // number of groups of several fields
}

type watchGroup struct {
	eq      store.FieldSet
	one     bool // by identity, not by fields
	buckets map[uint64]bucket
}

// maxSets is the maximum number of groups of several fields.
const maxSets = 16

// bucket holds the nodes of one combination of values, each class in order of arrival.
type bucket struct {
	of    [3]nodeList
	n     int
	crowd *crowd // of the other nodes; nil while there are few
}

const (
	listening = iota
	reading
	taking
)

// nodeList is a ring of nodes, given by its first node, whose prev is the last and whose next is nil.
type nodeList struct{ head *node }

func (l *nodeList) pushBack(n *node) {
	n.next = nil
	if l.head == nil {
		l.head, n.prev = n, n
		return
	}
	last := l.head.prev
	last.next, n.prev, l.head.prev = n, last, n
}

// insert adds n in order of arrival; nearly always it is the last.
func (l *nodeList) insert(n *node) {
	if l.head == nil || n.waiter == nil || l.head.prev.waiter.arrival < n.waiter.arrival {
		l.pushBack(n)
		return
	}
	after := l.head.prev
	for after != l.head && after.prev.waiter.arrival > n.waiter.arrival {
		after = after.prev
	}
	n.next, n.prev = after, after.prev
	if after == l.head {
		l.head = n
	} else {
		after.prev.next = n
	}
	after.prev = n
}

// remove removes n. n.next stays valid for a walk that is at n.
func (l *nodeList) remove(n *node) {
	switch {
	case n != l.head:
		n.prev.next = n.next
	case n.next != nil:
		l.head = n.next
	default:
		l.head = nil
		return
	}
	if n.next != nil {
		n.next.prev = n.prev
	} else {
		l.head.prev = n.prev
	}
}

// class returns the list of a bucket that n belongs to.
func (n *node) class() int {
	switch {
	case n.listener != nil:
		return listening
	case n.waiter.Query.Exclusive():
		return taking
	}
	return reading
}

// file adds a node under the values that its conditions fix.
func (w *watch) file(e *Engine, n *node) {
	n.group, n.hash = w.place(e, n)
	b := n.group.buckets[n.hash]
	if b.n >= crowded && b.crowd == nil {
		b.crowd = new(crowd)
	}
	if b.crowd == nil || !b.crowd.file(n) {
		b.of[n.class()].insert(n)
	}
	b.n++
	n.group.buckets[n.hash] = b
}

// place returns the group and the key under which a node is filed.
func (w *watch) place(e *Engine, n *node) (*watchGroup, uint64) {
	if n.waiter != nil && n.waiter.Query.ID != 0 {
		return w.group(0, true), n.waiter.Query.ID
	}
	eq := store.Equalities(n.conds)
	if eq.Several() && w.find(eq, false) == nil && w.setsInUse() >= maxSets {
		return w.emptiest(e, n.conds, eq)
	}
	return w.group(eq, false), e.store.HashConds(n.conds, eq)
}

// all returns the nodes of a class, in no particular order.
func (b *bucket) all(class int) (nodes []*node) {
	for n := b.of[class].head; n != nil; n = n.next {
		nodes = append(nodes, n)
	}
	if b.crowd != nil {
		for i := range b.crowd.fields {
			nodes = b.crowd.fields[i].roots[class].all(nodes)
		}
	}
	return nodes
}

// matching returns the nodes of a class that match a row, in order of arrival.
func (b *bucket) matching(class int, row template.Row, at []int) (nodes []*node) {
	for n := b.of[class].head; n != nil; n = n.next {
		if n.matches(row, at) {
			nodes = append(nodes, n)
		}
	}
	if b.crowd == nil {
		return nodes
	}
	nodes = slices.DeleteFunc(b.crowd.among(nodes, class, row, at), func(n *node) bool { return !n.matches(row, at) })
	slices.SortStableFunc(nodes, func(a, b *node) int { return cmp.Compare(a.arrival(), b.arrival()) })
	return nodes
}

// emptiest returns the place with the fewest nodes among those by a single field of eq.
func (w *watch) emptiest(e *Engine, conds []template.Cond, eq store.FieldSet) (*watchGroup, uint64) {
	var best store.FieldSet
	fewest, hash := math.MaxInt, uint64(0)
	for f := range eq.All() {
		one := store.FieldSet(0).With(f)
		h, n := e.store.HashConds(conds, one), 0
		if g := w.find(one, false); g != nil {
			n = g.buckets[h].n
		}
		if n < fewest {
			best, fewest, hash = one, n, h
		}
	}
	return w.group(best, false), hash
}

// setsInUse returns the number of groups of several fields. If they are many, it first drops the empty ones.
func (w *watch) setsInUse() int {
	if w.sets >= maxSets {
		w.drop()
	}
	return w.sets
}

// find returns the group for some fields, or for identities; nil if there is none.
func (w *watch) find(eq store.FieldSet, one bool) *watchGroup {
	for _, g := range w.groups {
		if g.eq == eq && g.one == one {
			return g
		}
	}
	return nil
}

// group is find that creates a missing group.
func (w *watch) group(eq store.FieldSet, one bool) *watchGroup {
	if g := w.find(eq, one); g != nil {
		return g
	}
	w.drop()
	g := &watchGroup{eq: eq, one: one, buckets: map[uint64]bucket{}}
	w.groups = append(w.groups, g)
	if g.eq.Several() {
		w.sets++
	}
	return g
}

// drop removes empty groups.
func (w *watch) drop() {
	w.groups = slices.DeleteFunc(w.groups, func(g *watchGroup) bool {
		if len(g.buckets) == 0 && g.eq.Several() {
			w.sets--
		}
		return len(g.buckets) == 0
	})
}

// bucket returns the bucket with the nodes that wait for an entry with the given identity and row. at gives the
// positions in row of the watch's fields; nil if they are the same.
func (g *watchGroup) bucket(e *Engine, id uint64, row template.Row, at []int) (b bucket, ok bool) {
	if g.one {
		b, ok = g.buckets[id]
		return b, ok
	}
	hash, ok := e.store.HashRow(row, g.eq, at)
	if !ok {
		return b, false
	}
	b, ok = g.buckets[hash]
	return b, ok
}

// unfileAll removes the nodes of a waiter or a registration.
func (e *Engine) unfileAll(nodes []node) {
	for i := range nodes {
		n := &nodes[i]
		n.unfile()
		if n.template.Named != nil {
			e.named.remove(n)
		}
	}
}

// unfile removes a node, and its bucket if that is empty.
func (n *node) unfile() {
	b := n.group.buckets[n.hash]
	if n.interval != nil {
		b.crowd.unfile(n)
	} else {
		b.of[n.class()].remove(n)
	}
	if b.n--; b.n == 0 {
		delete(n.group.buckets, n.hash)
	} else {
		n.group.buckets[n.hash] = b
	}
}

// fileAll files a node for every template of q.
func (e *Engine) fileAll(nodes []node, q *call.Query, w *Waiter, r *registration) {
	for i := range q.Templates {
		t := &q.Templates[i]
		n := &nodes[i]
		*n = node{waiter: w, listener: r, template: t, conds: t.Conds}
		if t.Kind == 0 {
			e.anyKind.file(e, n)
		} else {
			e.selected(t.Kind).watch.file(e, n)
		}
		if t.Named != nil {
			e.named.add(n)
		}
	}
}

// Park makes q wait, for which Find has just returned ErrNoMatch. The Waiter is in Granted once it was served, or its
// wait has ended for another reason. owner is stored in it. Park returns nil if there is nothing to wait for: q asks
// for what exists, and no match is locked.
//
// If the wait closes a cycle of transactions that wait for each other, the youngest of them is aborted, and its calls,
// which may include this one, are in Granted with ErrDeadlock.
func (e *Engine) Park(q *call.Query, owner any) *Waiter {
	return e.park(&Waiter{Query: q, Owner: owner}, q.IfExists || q.ID != 0)
}

// ParkBriefly is Park for a call that is not to wait: it waits only until the reservations of its matches have ended.
func (e *Engine) ParkBriefly(q *call.Query, owner any) *Waiter {
	return e.park(&Waiter{Query: q, Owner: owner, brief: true}, true)
}

// park makes w wait; if it waits for locks only it returns nil if there are none.
func (e *Engine) park(w *Waiter, locks bool) *Waiter {
	q := w.Query
	w.parked = true
	w.txn, _ = e.under(q.Txn) // checked by Find
	if locks && !e.contend(w) {
		return nil
	}
	if q.Arrival == 0 {
		e.arrivals++
		q.Arrival = e.arrivals
	}
	w.arrival = q.Arrival
	w.nodes = w.first[:]
	if len(q.Templates) > 1 {
		w.nodes = make([]node, len(q.Templates))
	}
	e.fileAll(w.nodes, q, w, nil)
	if w.txn != nil {
		if w.txn.waiting == nil {
			w.txn.waiting = map[*Waiter]struct{}{}
		}
		w.txn.waiting[w] = struct{}{}
		e.blocked[w.txn] = struct{}{}
		e.suspect(w.txn)
		e.settle()
	}
	return w
}

// Unpark cancels a wait. It returns false, and does nothing, if the wait is over.
func (e *Engine) Unpark(w *Waiter) bool {
	if !w.parked {
		return false
	}
	w.parked = false
	if w.txn != nil {
		if delete(w.txn.waiting, w); len(w.txn.waiting) == 0 {
			delete(e.blocked, w.txn)
		}
		e.suspect(w.txn)
	}
	e.unfileAll(w.nodes)
	return true
}

// calls returns the waiting calls of t, in order of arrival.
func (t *transaction) calls() []*Waiter {
	if len(t.waiting) == 0 {
		return nil
	}
	return slices.SortedFunc(maps.Keys(t.waiting), func(a, b *Waiter) int { return cmp.Compare(a.arrival, b.arrival) })
}
