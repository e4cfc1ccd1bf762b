package cluster

import (
	"cmp"
	"hash/fnv"
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
	for name := range s.Nodes {
		names = append(names, name)
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

// weight is how well a node suits a partition, by chance.
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
