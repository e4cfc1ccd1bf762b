package client

import (
	"slices"
	"sync"

	"github.com/gospaces/gospaces/txn"
)

// topology is what a client knows of where partitions are: the map of their places, and the nodes. Its methods may be
// called concurrently.
//
// A partition is at the node that the client has dialled until an answer tells where it is, see call.ElsewhereError. A
// call does not look into the map: each Space has its place at hand.
type topology struct {
	mu     sync.Mutex
	nodes  []*node               // guarded by mu; in the order in which they became known
	home   *node                 // guarded by mu; of partitions that the map does not have
	places map[txn.Address]place // guarded by mu; the map
	closed bool                  // guarded by mu; no links are made any more
}

// place is where a partition is.
type place struct {
	node  *node
	epoch uint64 // the version of the entry: what a node tells of a higher one is newer; 0: it is a guess
}

// node returns the node with an address.
func (t *topology) node(addr string) *node {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.IndexFunc(t.nodes, func(n *node) bool { return n.addr == addr }); i >= 0 {
		return t.nodes[i]
	}
	n := newNode(addr)
	t.nodes = append(t.nodes, n)
	return n
}

// others returns all nodes but n, beginning with the one that follows it.
func (t *topology) others(n *node) []*node {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.nodes, n)
	return slices.Concat(t.nodes[i+1:], t.nodes[:i])
}

// opened makes the links those of n. It reports false if the client is closed.
func (t *topology) opened(n *node, links []*link) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	n.links = links
	if t.home == nil {
		t.home = n
	}
	return true
}

// place tells a new Space where it is.
func (t *topology) place(s *part) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, known := t.places[s.at]
	if !known {
		p = place{node: t.home}
	}
	s.place.Store(&p)
	p.node.stir()
}

// rehome makes a node the one of partitions that the map does not have, in the place of another.
func (t *topology) rehome(from, to *node) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.home == from {
		t.home = to
	}
	for at, p := range t.places {
		if p.node == from {
			t.places[at] = place{node: to}
		}
	}
}

// move notes that s is not at the node from any more, but at another place, and hands it over from link to link. It
// does nothing if s is not at that node.
func (t *topology) move(s *part, from *node, to place) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.place.Load().node != from || t.closed {
		return
	}
	if t.places == nil {
		t.places = map[txn.Address]place{}
	}
	t.places[s.at] = to
	for i, l := range from.links {
		to.node.links[i].adopt(s, l.evict(s))
	}
	s.place.Store(&to)
	from.stir() // calls that wait for it go elsewhere
	to.node.stir()
	for _, l := range to.node.links {
		l.begin(func() { l.takeUp(s) })
	}
}

// allLinks returns the links to all nodes.
func (t *topology) allLinks() []*link {
	t.mu.Lock()
	defer t.mu.Unlock()
	var links []*link
	for _, n := range t.nodes {
		links = append(links, n.links...)
	}
	return links
}

// close returns the links to all nodes, and lets none be added.
func (t *topology) close() []*link {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	return t.allLinks()
}
