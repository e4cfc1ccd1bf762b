package node

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gospaces/gospaces/internal/cluster"
	"github.com/gospaces/gospaces/txn"
)

// clusterStatus is the part of a node's status about its cluster, as the node sees it.
type clusterStatus struct {
	Name       string            `json:"name"`
	Node       string            `json:"node"`                // the node that reports this
	JetStream  string            `json:"jetstream,omitempty"` // leads JetStream's group; "": spaces cannot be made
	Control    partitionStatus   `json:"control"`             // the partition with the nodes and spaces of the cluster
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

	Unheard []string `json:"does_not_hear,omitempty"` // nodes that others hear
}

// partitionStatus is the status of a partition of the cluster.
type partitionStatus struct {
	Space     string          `json:"space"`
	Partition int             `json:"partition"`
	Primary   string          `json:"primary,omitempty"` // "": no node serves it
	Epoch     uint64          `json:"epoch,omitempty"`
	Why       string          `json:"why,omitempty"`         // why calls wait
	Minority  bool            `json:"no_majority,omitempty"` // too few of the nodes with its log are alive
	Filling   bool            `json:"filling,omitempty"`     // its space is not served before it is restored or loaded
	Replicas  []replicaStatus `json:"replicas"`
	Target    []string        `json:"target,omitempty"` // nodes that are to have the replicas, if these are being moved
	Awaits    string          `json:"awaits,omitempty"` // what the move waits for
}

// replicaStatus is the status of a replica.
type replicaStatus struct {
	Node     string `json:"node"`
	Alive    bool   `json:"alive"`
	Able     bool   `json:"able"`          // it could lead, or leads
	Why      string `json:"why,omitempty"` // why it could not
	Position uint64 `json:"position"`
	Lag      uint64 `json:"lag"` // messages of the log that it has not applied
}

// status returns the clusterStatus.
func (f *fleet) status() *clusterStatus {
	state, _ := f.member.State()
	sight := f.member.Sight()
	st := &clusterStatus{
		Name: f.cfg.Cluster.Name, Node: f.cfg.Cluster.Node, JetStream: f.metaLeader(),
		Control: f.partitionStatus(cluster.ControlAt, cluster.Partition{Nodes: state.Founders}),
	}
	members := map[string]*memberStatus{}
	for name, n := range state.Nodes {
		members[name] = &memberStatus{
			Name: name, Addr: n.Addr, Zone: n.Zone, Alive: sight.Alive(name), Drained: n.Duty != cluster.Leads,
			Version: n.Version,
		}
		if unheard := f.unheard.Load(); unheard != nil {
			members[name].Unheard = (*unheard)[name]
		}
	}
	for space, sp := range state.Spaces {
		for i, p := range sp.Partitions {
			ps := f.partitionStatus(txn.Address{Space: space, Partition: uint16(i)}, p)
			if sp.Unfinished() {
				ps.Filling, ps.Why = true, whyUnfinished
				ps.Primary, ps.Epoch = "", 0 // those of the space that it has replaced
			}
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

// metaLeader returns the node that leads JetStream's group; "" if there is none, "unknown" in a program that was built
// without a look at groups, "elsewhere" if a NATS cluster has the logs.
func (f *fleet) metaLeader() string {
	if f.store.Outside() {
		return "elsewhere"
	}
	meta := f.store.Meta()
	if !meta.Member {
		return "unknown"
	}
	return meta.Leader
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
	ps.Target, ps.Awaits = p.Target, f.member.MoveWaits(at, p)
	for _, node := range p.Ranked() {
		part, known := sight.Part(node, at)
		newest = max(newest, part.Position)
		r := replicaStatus{
			Node: node, Alive: sight.Alive(node), Able: part.Able || part.Epoch > 0 && part.Epoch == ps.Epoch,
			Position: part.Position,
		}
		switch {
		case r.Able:
		case known:
			r.Why = part.Why
		default:
			r.Why = "it is not open yet"
		}
		ps.Replicas = append(ps.Replicas, r)
	}
	ps.Why = f.minority(p.Nodes)
	ps.Minority = ps.Why != ""
	ps.Why = cmp.Or(ps.Why, ps.trouble())
	for i := range ps.Replicas {
		ps.Replicas[i].Lag = newest - ps.Replicas[i].Position
	}
	return ps
}

// minority returns the reason why calls of a partition wait whose log is on the given nodes; "" if enough are alive.
func (f *fleet) minority(nodes []string) string {
	if f.store.Outside() { // the servers of NATS are what matters
		return ""
	}
	alive := 0
	for _, node := range nodes {
		if f.member.Sight().Alive(node) {
			alive++
		}
	}
	if 2*alive <= len(nodes) {
		return fmt.Sprintf("no majority: %d of %d nodes with its log are alive", alive, len(nodes))
	}
	return ""
}

// waits returns the reason why calls of a partition wait that is led here; "" if they do not. A primary without calls
// would not notice by itself.
func (f *fleet) waits(at txn.Address) string {
	state, _ := f.member.State()
	if sp := state.Spaces[at.Space]; sp != nil && int(at.Partition) < len(sp.Partitions) {
		return f.minority(sp.Partitions[at.Partition].Nodes)
	}
	return ""
}

// trouble returns the reason why calls of a partition wait although its log can be written; "" if they do not.
func (p *partitionStatus) trouble() string {
	if p.Primary != "" {
		return ""
	}
	if !slices.ContainsFunc(p.Replicas, func(r replicaStatus) bool { return r.Alive && r.Able }) {
		return "no replica that is alive could lead"
	}
	return "another node is about to lead"
}

// spaces returns the status of the replicas on this node, by space.
func (f *fleet) spaces() (all []spaceStatus) {
	byName := map[string][]*hosted{}
	for at, s := range f.all() {
		byName[at.Space] = append(byName[at.Space], s)
	}
	state, _ := f.member.State()
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		parts := byName[name]
		slices.SortFunc(parts, func(a, b *hosted) int { return a.at.Compare(b.at) })
		if sp := state.Spaces[name]; sp != nil && len(sp.Partitions) == 1 {
			all = append(all, parts[0].status())
		} else {
			all = append(all, sumStatus(name, parts))
		}
	}
	return all
}
