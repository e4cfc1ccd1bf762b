package engine

import (
	"slices"

	"github.com/gospaces/gospaces/template"
)

// Waiter is a call that waits for an entry. It is made by Engine.Park.
type Waiter struct {
	Query *Query
	Owner any // whatever the caller of Park wants to find again

	Got []View // what a write gave it; valid as a View is

	arrival uint64
	nodes   []*node
	parked  bool
}

// registration is a standing wish for events, as the engine keeps it.
type registration struct {
	id      uint64
	expires int64
	seq     uint64 // of its last event
	query   *Query
	nodes   []*node
	lsn     uint64 // of the change that made it
	offered uint64 // order of the entry offered last, so that two matching templates make one event
}

// node files one template of a waiter or a registration in a bucket.
type node struct {
	waiter     *Waiter
	listener   *registration
	conds      []template.Cond
	group      *watchGroup
	bucket     *bucket
	hash       uint64
	next, prev *node
}

// watch is an index of waiting calls and registrations: by the fields that their templates fix, then by the values they
// fix them to. So an entry that is written meets only those whose fixed values it has, however many wait.
type watch struct {
	groups []*watchGroup
}

type watchGroup struct {
	eq      fieldSet
	buckets map[uint64]*bucket
}

// bucket holds the waiting calls of one combination of values, each sort in order of arrival.
type bucket struct {
	readers, takers, listeners nodeList
}

type nodeList struct{ head, tail *node }

func (l *nodeList) pushBack(n *node) {
	n.prev, n.next = l.tail, nil
	if l.tail != nil {
		l.tail.next = n
	} else {
		l.head = n
	}
	l.tail = n
}

func (l *nodeList) remove(n *node) {
	if n.prev != nil {
		n.prev.next = n.next
	} else {
		l.head = n.next
	}
	if n.next != nil {
		n.next.prev = n.prev
	} else {
		l.tail = n.prev
	}
}

// listOf returns the list that n belongs in.
func (b *bucket) listOf(n *node) *nodeList {
	switch {
	case n.listener != nil:
		return &b.listeners
	case n.waiter.Query.Take:
		return &b.takers
	}
	return &b.readers
}

func (b *bucket) empty() bool {
	return b.readers.head == nil && b.takers.head == nil && b.listeners.head == nil
}

// file adds a node under the values that its conditions fix.
func (w *watch) file(e *Engine, n *node) {
	eq := equalities(n.conds)
	n.group, n.hash = w.groupOf(eq), e.hashConds(n.conds, eq)
	n.bucket = n.group.buckets[n.hash]
	if n.bucket == nil {
		n.bucket = new(bucket)
		n.group.buckets[n.hash] = n.bucket
	}
	n.bucket.listOf(n).pushBack(n)
}

func (w *watch) groupOf(eq fieldSet) *watchGroup {
	for _, g := range w.groups {
		if g.eq == eq {
			return g
		}
	}
	w.groups = slices.DeleteFunc(w.groups, func(g *watchGroup) bool { return len(g.buckets) == 0 })
	g := &watchGroup{eq: eq, buckets: map[uint64]*bucket{}}
	w.groups = append(w.groups, g)
	return g
}

// unfile removes a node, and its bucket if that is left empty. Its next stays, for a walk that has come to it.
func (n *node) unfile() {
	n.bucket.listOf(n).remove(n)
	if n.bucket.empty() {
		delete(n.group.buckets, n.hash)
	}
}

// fileAll files a node for every template of q and returns them.
func (e *Engine) fileAll(q *Query, w *Waiter, r *registration) []*node {
	nodes := make([]*node, len(q.Templates))
	for i := range q.Templates {
		t := &q.Templates[i]
		n := &node{waiter: w, listener: r, conds: t.Conds}
		nodes[i] = n
		if t.Kind == 0 {
			e.anyKind.file(e, n)
		} else {
			e.kinds[t.Kind-1].watch.file(e, n)
		}
	}
	return nodes
}

// Park makes q wait; a later write that matches it puts it into Granted. owner is handed back with it.
func (e *Engine) Park(q *Query, owner any) *Waiter {
	e.arrivals++
	w := &Waiter{Query: q, Owner: owner, arrival: e.arrivals, parked: true}
	w.nodes = e.fileAll(q, w, nil)
	return w
}

// Unpark ends a wait. It reports false, and does nothing, if the wait was over.
func (e *Engine) Unpark(w *Waiter) bool {
	if !w.parked {
		return false
	}
	w.parked = false
	for _, n := range w.nodes {
		n.unfile()
	}
	w.nodes = nil
	return true
}
