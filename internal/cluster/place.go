package cluster

import (
	"cmp"
	"hash/fnv"
	"maps"
	"math"
	"slices"
)

// place returns the nodes for the replicas of the partitions of a new space. Each partition gets those nodes for which
// a hash of both is highest (rendezvous hashing), from as many zones as there are; so partitions are spread evenly, and
// stay where they are as nodes come and go. The first of the nodes, which is to lead, is one that leads few.
func place(s *State, space string, partitions, replicas int) []Partition {
	leads := map[string]int{}
	for _, sp := range s.Spaces {
		for _, p := range sp.Partitions {
			leads[p.Nodes[0]]++
		}
	}
	placed := make([]Partition, partitions)
	for i := range placed {
		nodes := choose(s, space, i, replicas)
		slices.SortStableFunc(nodes, func(a, b string) int { return cmp.Compare(leads[a], leads[b]) })
		leads[nodes[0]]++
		placed[i] = Partition{Nodes: nodes}
	}
	return placed
}

// choose returns the nodes for the replicas of a partition, the best first.
func choose(s *State, space string, partition, replicas int) []string {
	names := make([]string, 0, len(s.Nodes))
	for name, node := range s.Nodes {
		if node.Duty != Leaves {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(weight(space, partition, b), weight(space, partition, a)), cmp.Compare(a, b))
	})
	zones := map[string]int{}
	var chosen []string
	for round := 0; len(chosen) < min(replicas, len(names)); round++ {
		for _, name := range names {
			zone := s.Nodes[name].Zone
			if len(chosen) < replicas && !slices.Contains(chosen, name) && (zone == "" || zones[zone] <= round) {
				chosen = append(chosen, name)
				zones[zone]++
			}
		}
	}
	return chosen
}

// weight returns a hash that ranks nodes for a partition.
func weight(space string, partition int, node string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(space))
	_, _ = h.Write([]byte{0, byte(partition), byte(partition >> 8), 0})
	_, _ = h.Write([]byte(node))
	x := h.Sum64() // FNV mixes its last bytes badly; this is the finalizer of SplitMix64
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// nextMove returns the next move that brings replicas, and then primaries, where they should be, or nil.
func nextMove(s *State) *Move {
	if m := moveReplica(s); m != nil {
		return m
	}
	return moveLead(s)
}

// balanced returns, in order, the moves that bring replicas where they should be.
func (s *State) balanced() (moves []Move) {
	for m := nextMove(s); m != nil; m = nextMove(s) {
		moves = append(moves, *m)
		s = s.moved(m)
	}
	return moves
}

// begun returns the moves that are under way, but were not in an earlier state.
func (s *State) begun(before *State) (moves []Move) {
	for _, name := range slices.Sorted(maps.Keys(s.Spaces)) {
		for i, p := range s.Spaces[name].Partitions {
			if len(p.Target) > 0 && !slices.Equal(p.Target, before.Spaces[name].Partitions[i].Target) {
				moves = append(moves, Move{Name: name, Partition: i, To: p.Target})
			}
		}
	}
	return moves
}

// moved returns the state after a move.
func (s *State) moved(m *Move) *State {
	s, _ = s.next(s.Position, &Command{Move: m})
	s, _ = s.next(s.Position, &Command{Settle: &Settled{m.Name, m.Partition, m.To}})
	return s
}

// moveReplica returns a move that replaces one node of one partition, or nil: one of a node that leaves, or else from
// the node that has most replicas to the one that has least, if they differ by more than one. Followers move first.
func moveReplica(s *State) *Move {
	load := s.load()
	nodes := slices.Sorted(maps.Keys(load))
	var best *Move
	least := 2 // by how many replicas nodes must differ
	for _, name := range slices.Sorted(maps.Keys(s.Spaces)) {
		for i, p := range s.Spaces[name].Partitions {
			if !s.Spaces[name].isSettled() {
				continue
			}
			for _, from := range slices.Backward(p.Nodes) {
				for _, to := range nodes {
					if s.Nodes[to].Duty != Leads {
						continue // its replica could not show that it follows
					}
					if gain := s.gain(load, p, from, to); gain >= least && !p.Has(to) {
						best, least = &Move{name, i, replaced(p.Nodes, from, to), true}, gain+1
					}
				}
			}
		}
	}
	return best
}

// moveLead returns a move after which another replica of a partition is to lead it, or nil: from the node that is to
// lead most partitions to one that is to lead less, if they differ by more than one. A drained node is to lead none.
func moveLead(s *State) *Move {
	leads := map[string]int{}
	for _, sp := range s.Spaces {
		for _, p := range sp.Partitions {
			leads[p.Ranked()[0]]++
		}
	}
	for name, node := range s.Nodes {
		if node.Duty != Leads {
			leads[name] += math.MaxInt32
		}
	}
	var best *Move
	least := 2
	for _, name := range slices.Sorted(maps.Keys(s.Spaces)) {
		for i, p := range s.Spaces[name].Partitions {
			if !s.Spaces[name].isSettled() {
				continue
			}
			for _, to := range p.Nodes[1:] {
				if gain := leads[p.Nodes[0]] - leads[to]; gain >= least && leads[to] < math.MaxInt32 {
					best, least = &Move{name, i, first(p.Nodes, to), true}, gain+1
				}
			}
		}
	}
	return best
}

// first returns nodes with one of them before the others.
func first(nodes []string, node string) []string {
	others := slices.DeleteFunc(slices.Clone(nodes), func(n string) bool { return n == node })
	return append([]string{node}, others...)
}

// load returns how many replicas each node has, of those that do not leave.
func (s *State) load() map[string]int {
	load := map[string]int{}
	for name, node := range s.Nodes {
		if node.Duty != Leaves {
			load[name] = 0
		}
	}
	for _, sp := range s.Spaces {
		for _, p := range sp.Partitions {
			for _, node := range p.Ranked() {
				if _, stays := load[node]; stays {
					load[node]++
				}
			}
		}
	}
	return load
}

// gain returns the urgency of moving a replica of a partition from one node to another. A replica leaves its zone, if
// others are in that of the new node, only when its node leaves.
func (s *State) gain(load map[string]int, p Partition, from, to string) int {
	many, stays := load[from]
	switch spreads := s.spreads(p, from, to); {
	case stays && spreads:
		return many - load[to]
	case stays:
		return 0
	case spreads:
		return math.MaxInt32 - load[to]
	}
	return math.MaxInt32/2 - load[to]
}

// isSettled reports whether a space exists on all of its nodes, and none of its partitions is being moved.
func (s *Space) isSettled() bool {
	return s.Phase == Existing && !slices.ContainsFunc(s.Partitions, func(p Partition) bool { return p.Target != nil })
}

// replaced returns nodes with one in the place of another.
func replaced(nodes []string, from, to string) []string {
	nodes = slices.Clone(nodes)
	nodes[slices.Index(nodes, from)] = to
	return nodes
}

// spreads reports whether a partition has replicas in as many zones as before if one node is replaced by another.
func (s *State) spreads(p Partition, from, to string) bool {
	zones := func(nodes []string) int {
		all := map[string]bool{}
		for _, n := range nodes {
			all[s.Nodes[n].Zone] = true
		}
		return len(all)
	}
	return zones(replaced(p.Nodes, from, to)) >= zones(p.Nodes)
}
