package client

import (
	"slices"
	"sync"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// topology is a client's knowledge of a cluster: its nodes, and the map of the places of partitions. Its methods may be
// called concurrently.
//
// A partition is taken to be at the node that the client has dialled until an answer names another, see
// call.ElsewhereError. Calls do not use the map: each Space holds its place.
type topology struct {
	mu     sync.Mutex
	nodes  []*node               // guarded by mu; in the order in which they became known
	home   *node                 // guarded by mu; of partitions that the map does not have
	places map[txn.Address]place // guarded by mu; the map
	closed bool                  // guarded by mu; no links are made any more
	serves string                // guarded by mu; what the client's server, or cluster, has

	version uint64         // guarded by mu; the highest of the lists of nodes that were met
	leaving sync.WaitGroup // links that are being closed, of nodes that have left
}

// place is the place of a partition.
type place struct {
	node  *node
	epoch call.Epoch // the version of the entry: news has a later one; zero: it is a guess
}

// node returns the node with an address.
func (t *topology) node(addr string) *node {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.nodeLocked(addr)
}

func (t *topology) nodeLocked(addr string) *node {
	if n := t.findLocked(func(n *node) bool { return n.isAt(addr) }); n != nil {
		return n
	}
	n := newNode(addr)
	t.nodes = append(t.nodes, n)
	return n
}

// findLocked returns the first node that satisfies a predicate, or nil.
func (t *topology) findLocked(is func(*node) bool) *node {
	if i := slices.IndexFunc(t.nodes, is); i >= 0 {
		return t.nodes[i]
	}
	return nil
}

// isAt reports whether an address is one of n.
func (n *node) isAt(addr string) bool { return n.addr == addr || slices.Contains(n.also, addr) }

// named returns the node with a name, or nil.
func (t *topology) named(name string) *node {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.findLocked(func(n *node) bool { return n.name == name })
}

// meet adds the nodes of a cluster.
func (t *topology) meet(members []call.Member) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range members {
		if m.Name == "" || m.Addr == "" {
			continue
		}
		n := t.findLocked(func(n *node) bool { return n.name == m.Name })
		if n == nil {
			n = t.nodeLocked(m.Addr)
			n.name = m.Name
		}
		if other := t.findLocked(func(o *node) bool { return o != n && o.isAt(m.Addr) }); other != nil {
			t.mergeLocked(n, other)
		}
		if !n.isAt(m.Addr) { // it has moved there
			n.also = append(slices.DeleteFunc(n.also, func(addr string) bool { return addr == n.told }), m.Addr)
		}
		n.told = m.Addr
	}
}

// mergeLocked adds the addresses of other, which has turned out to be n, to those of n. It does nothing if links to
// other exist: these go unused in time.
func (t *topology) mergeLocked(n, other *node) {
	if len(other.links) == 0 {
		n.also = append(append(n.also, other.addr), other.also...)
		t.nodes = slices.DeleteFunc(t.nodes, func(o *node) bool { return o == other })
	}
}

// addrAfter returns the address of n that follows one which has failed.
func (t *topology) addrAfter(n *node, failed string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(n.also) == 0 {
		return failed // its only one, or found by tryAddresses
	}
	all := append([]string{n.addr}, n.also...)
	return all[(slices.Index(all, failed)+1)%len(all)]
}

// others returns all nodes but n, beginning with the one that follows it.
func (t *topology) others(n *node) []*node {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.nodes, n)
	if i < 0 { // it has left
		return slices.Clone(t.nodes)
	}
	return slices.Concat(t.nodes[i+1:], t.nodes[:i])
}

// opened makes the links those of n. It reports false if the client is closed, or n has left the cluster.
func (t *topology) opened(n *node, links []*link) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || !slices.Contains(t.nodes, n) {
		return false
	}
	n.links = links
	if t.home == nil {
		t.home = n
	}
	return true
}

// place sets the place of a new Space.
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

// move notes that s has moved from the node from to another place, and hands it over from link to link, unless only the
// epoch is new. It does nothing if s is not at that node.
func (t *topology) move(s *part, from *node, to place) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.place.Load().node != from || t.closed || !slices.Contains(t.nodes, to.node) {
		return
	}
	if t.places == nil {
		t.places = map[txn.Address]place{}
	}
	t.places[s.at] = to
	if to.node == from {
		s.place.Store(&to)
		return
	}
	if to.epoch == (call.Epoch{}) && t.home == from { // from cannot be reached
		t.home = to.node
	}
	for i, l := range from.links {
		to.node.links[i].adopt(s, l.evict(s))
	}
	s.place.Store(&to)
	from.stir() // calls that wait for it go to the other node
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
	t.leaving.Wait()
	return t.allLinks()
}
