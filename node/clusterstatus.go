package node

import (
	"slices"
	"strings"

	"github.com/gospaces/gospaces/internal/cluster"
	"github.com/gospaces/gospaces/txn"
)

// clusterStatus is the part of a node's status about its cluster, as the node sees it.
type clusterStatus struct {
	Name       string            `json:"name"`
	Node       string            `json:"node"` // that tells
	Nodes      []memberStatus    `json:"nodes"`
	Partitions []partitionStatus `json:"partitions"`
}

// memberStatus is the status of a node of the cluster.
type memberStatus struct {
	Name    string `json:"name"`
	Addr    string `json:"addr"` // for clients
	Zone    string `json:"zone,omitempty"`
	Alive   bool   `json:"alive"`
	Leads   int    `json:"leads"`    // number of partitions
	Has     int    `json:"replicas"` // number of replicas
	Drained bool   `json:"drained,omitempty"`
	Version string `json:"version,omitempty"`
}

// partitionStatus is the status of a partition of the cluster.
type partitionStatus struct {
	Space     string          `json:"space"`
	Partition int             `json:"partition"`
	Primary   string          `json:"primary,omitempty"` // "": no node serves it
	Epoch     uint64          `json:"epoch,omitempty"`
	Replicas  []replicaStatus `json:"replicas"`
	Target    []string        `json:"target,omitempty"` // nodes that are to have the replicas, if these are being moved

	Here *spaceStatus `json:"here,omitempty"` // if this node has a replica
}

// replicaStatus is the status of a replica.
type replicaStatus struct {
	Node     string `json:"node"`
	Alive    bool   `json:"alive"`
	Able     bool   `json:"able"` // it could lead
	Position uint64 `json:"position"`
	Lag      uint64 `json:"lag"` // messages of the log that it has not applied
}

// status returns the clusterStatus.
func (f *fleet) status() *clusterStatus {
	state, _ := f.member.State()
	sight := f.member.Sight()
	st := &clusterStatus{Name: f.cfg.Cluster.Name, Node: f.cfg.Cluster.Node}
	members := map[string]*memberStatus{}
	for name, n := range state.Nodes {
		members[name] = &memberStatus{
			Name: name, Addr: n.Addr, Zone: n.Zone, Alive: sight.Alive(name), Drained: n.Duty != cluster.Leads, Version: n.Version,
		}
	}
	for space, sp := range state.Spaces {
		for i, p := range sp.Partitions {
			ps := f.partitionStatus(txn.Address{Space: space, Partition: uint16(i)}, p)
			st.Partitions = append(st.Partitions, ps)
			if m := members[ps.Primary]; m != nil {
				m.Leads++
			}
			for _, node := range p.Nodes {
				if m := members[node]; m != nil {
					m.Has++
				}
			}
		}
	}
	for _, m := range members {
		st.Nodes = append(st.Nodes, *m)
	}
	slices.SortFunc(st.Nodes, func(a, b memberStatus) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(st.Partitions, func(a, b partitionStatus) int { return a.at().Compare(b.at()) })
	return st
}

func (p partitionStatus) at() txn.Address {
	return txn.Address{Space: p.Space, Partition: uint16(p.Partition)}
}

func (f *fleet) partitionStatus(at txn.Address, p cluster.Partition) partitionStatus {
	sight := f.member.Sight()
	ps := partitionStatus{Space: at.Space, Partition: int(at.Partition)}
	if place, ok := sight.Served(at); ok {
		ps.Primary, ps.Epoch = place.Node, place.Epoch
	}
	newest := uint64(0)
	ps.Target = p.Target
	for _, node := range p.Ranked() {
		part, _ := sight.Part(node, at)
		newest = max(newest, part.Position)
		ps.Replicas = append(ps.Replicas, replicaStatus{
			Node: node, Alive: sight.Alive(node), Able: part.Able || part.Epoch > 0 && part.Epoch == ps.Epoch, Position: part.Position,
		})
	}
	for i := range ps.Replicas {
		ps.Replicas[i].Lag = newest - ps.Replicas[i].Position
	}
	if s := f.at(at); s != nil {
		here := s.status()
		ps.Here = &here
	}
	return ps
}
