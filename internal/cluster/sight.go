package cluster

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gospaces/gospaces/txn"
)

// Sight is what a node has heard of the others. Its methods may be called concurrently.
//
// Time is counted in the node's own heartbeats, as they come back to it through its own server. So a node that stood
// still, or is too busy to send, takes no other node for dead because of that.
type Sight struct {
	self   string
	timing Timing
	state  func() *State // of the cluster, as far as this node knows it

	mu     sync.Mutex
	beats  int64                   // guarded by mu; own heartbeats that came back
	nodes  map[string]*seen        // guarded by mu
	served map[txn.Address]serving // guarded by mu; by whom each partition was served in the newest epoch
}

// seen is the last heartbeat of a node.
type seen struct {
	at      int64 // when it came
	folder  string
	heard   uint64 // heartbeats of that folder
	addr    string
	control uint64
	scarce  bool
	hears   []string
	parts   map[txn.Address]Part
}

// serving tells who serves a partition.
type serving struct {
	node    string
	created uint64 // Part.Created
	epoch   uint64
	at      int64 // when that was heard last
}

// isAfter reports whether v is newer than p: of a newer epoch, or of a newer space, whose epochs may be lower.
func (v serving) isAfter(p Part) bool {
	return cmp.Or(cmp.Compare(v.created, p.Created), cmp.Compare(v.epoch, p.Epoch)) > 0
}

// NewSight returns the Sight of the named node, which has heard nothing yet.
func NewSight(self string, timing Timing) *Sight {
	return &Sight{
		self: self, timing: timing, state: func() *State { return &State{} }, nodes: map[string]*seen{},
		served: map[txn.Address]serving{},
	}
}

// Hear records a heartbeat, unless it is of a folder that is not that of its node: it was replaced, or another one is
// alive. The caller has made sure that no heartbeat under this node's name is of another process.
func (s *Sight) Hear(b *Beat) {
	state := s.state()
	if state.IsReplaced(b.Node, b.Folder) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.nodes[b.Node]
	if was != nil && was.folder != b.Folder && state.Nodes[b.Node].Folder != b.Folder &&
		s.silentLocked(b.Node) < s.timing.Suspect && !state.IsReplaced(b.Node, was.folder) {
		return
	}
	if b.Node == s.self && !b.Early {
		s.beats++
	}
	n := &seen{
		at: s.beats, folder: b.Folder, heard: 1, addr: b.Addr, control: b.Control, scarce: b.Scarce,
		hears: b.Hears, parts: make(map[txn.Address]Part, len(b.Parts)),
	}
	if was != nil && was.folder == b.Folder {
		n.heard = was.heard + 1
	}
	for _, p := range b.Parts {
		n.parts[p.At] = p
		if p.Epoch > 0 && !s.served[p.At].isAfter(p) {
			s.served[p.At] = serving{b.Node, p.Created, p.Epoch, s.beats}
		}
	}
	s.nodes[b.Node] = n
	if b.Node == s.self {
		s.forgetLocked(state)
	}
}

// forgetLocked forgets who served the partitions of spaces that do not exist any more.
func (s *Sight) forgetLocked(state *State) {
	maps.DeleteFunc(s.served, func(at txn.Address, v serving) bool {
		return at != ControlAt && state.Spaces[at.Space] == nil && s.silenceLocked(v.at) >= s.timing.Suspect
	})
}

// created returns what tells the space of a partition from an older one of its name.
func (s *Sight) created(at txn.Address) uint64 {
	if sp := s.state().Spaces[at.Space]; sp != nil {
		return sp.Created
	}
	return 0
}

// servedLocked returns who served a partition of the space that was created then, in its newest epoch; the zero value
// if no node ever has.
func (s *Sight) servedLocked(at txn.Address, created uint64) serving {
	if v := s.served[at]; v.created == created {
		return v
	}
	return serving{}
}

// silenceLocked returns the time since a number of own heartbeats.
func (s *Sight) silenceLocked(since int64) time.Duration {
	return time.Duration(s.beats-since) * s.timing.Beat
}

// Silent returns the time since the last heartbeat of a node; since the start if none was heard.
func (s *Sight) Silent(node string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.silentLocked(node)
}

func (s *Sight) silentLocked(node string) time.Duration {
	if node == s.self {
		return 0
	}
	if n := s.nodes[node]; n != nil {
		return s.silenceLocked(n.at)
	}
	return s.silenceLocked(0)
}

// Heard returns how many heartbeats of a node were heard from the folder that it has.
func (s *Sight) Heard(node string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.nodes[node]; n != nil {
		return n.heard
	}
	return 0
}

// Alive reports whether a node is not suspected.
func (s *Sight) Alive(node string) bool { return s.Silent(node) < s.timing.Suspect }

// Twin returns the address for clients of a living node that has a name and another folder than the given one, and how
// many heartbeats of it were heard; "" if there is none.
func (s *Sight) Twin(node, folder string) (addr string, heard uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[node]
	if n == nil || n.folder == folder || s.silentLocked(node) >= s.timing.Suspect {
		return "", 0
	}
	return n.addr, n.heard
}

// Scarce reports whether a node is alive, and has too little memory for more entries.
func (s *Sight) Scarce(node string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[node]
	return n != nil && n.scarce && s.silentLocked(node) < s.timing.Suspect
}

// Living returns the nodes that are not suspected, this one included, sorted.
func (s *Sight) Living() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	living := []string{s.self}
	for name := range s.nodes {
		if name != s.self && s.silentLocked(name) < s.timing.Suspect {
			living = append(living, name)
		}
	}
	slices.Sort(living)
	return living
}

// Unheard returns, by living node, the nodes that it does not hear although another one does, sorted.
func (s *Sight) Unheard() map[string][]string {
	living := s.Living()
	s.mu.Lock()
	defer s.mu.Unlock()
	hears := map[string][]string{s.self: living}
	heard := map[string]bool{}
	for _, name := range living {
		if n := s.nodes[name]; n != nil && name != s.self {
			hears[name] = n.hears
		}
		for _, other := range hears[name] {
			heard[other] = true
		}
	}
	unheard := map[string][]string{}
	for _, other := range slices.Sorted(maps.Keys(heard)) {
		for name, list := range hears {
			if name != other && !slices.Contains(list, other) {
				unheard[name] = append(unheard[name], other)
			}
		}
	}
	return unheard
}

// Unserved returns how long no node has said that it serves a partition; since the start if none ever has.
func (s *Sight) Unserved(at txn.Address) time.Duration {
	created := s.created(at)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.silenceLocked(s.servedLocked(at, created).at)
}

// Leads returns how many partitions of spaces a node serves, as it said last.
func (s *Sight) Leads(node string) (leads int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.nodes[node]; n != nil {
		for at, p := range n.parts {
			if p.Epoch > 0 && at != ControlAt {
				leads++
			}
		}
	}
	return leads
}

// Place is where a partition is served.
type Place struct {
	Node    string
	Addr    string // of the node, for clients
	Created uint64 // Space.Created
	Epoch   uint64
}

// Served returns the place where a partition is served; false if no living node says that it serves it.
func (s *Sight) Served(at txn.Address) (Place, bool) {
	created := s.created(at)
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.servedLocked(at, created)
	n := s.nodes[v.node]
	if n == nil || s.silenceLocked(v.at) >= s.timing.Suspect {
		return Place{}, false
	}
	return Place{v.node, n.addr, v.created, v.epoch}, true
}

// Newest returns the newest epoch in which a node has said that it serves a partition; 0 if none has.
func (s *Sight) Newest(at txn.Address) uint64 {
	created := s.created(at)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.servedLocked(at, created).epoch
}

// Part returns what the last heartbeat of a node said of a replica; false if that was of an older space of the name.
func (s *Sight) Part(node string, at txn.Address) (Part, bool) {
	created := s.created(at)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[node]
	if n == nil {
		return Part{}, false
	}
	p, known := n.parts[at]
	if !known || p.Created != created {
		return Part{}, false
	}
	return p, true
}

// Controls reports whether all living nodes have applied the control log up to a position.
func (s *Sight) Controls(position uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, n := range s.nodes {
		if n.control < position && s.silentLocked(name) < s.timing.Suspect {
			return false
		}
	}
	return true
}

// Addrs returns the addresses of the nodes, for clients, by name.
func (s *Sight) Addrs() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	addrs := map[string]string{}
	for name, n := range maps.All(s.nodes) {
		addrs[name] = n.addr
	}
	return addrs
}
