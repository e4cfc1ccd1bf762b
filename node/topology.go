package node

import (
	"slices"
	"strings"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/txn"
)

var _ server.Topology = (*fleet)(nil)

// Version implements server.Topology.
func (f *fleet) Version() uint64 {
	state, _ := f.member.State()
	return state.NodesAt
}

// Topology implements server.Topology: the cluster as clients are told of it.
func (f *fleet) Topology() *call.Topology {
	state, _ := f.member.State()
	t := &call.Topology{Version: state.NodesAt}
	for name, n := range state.Nodes {
		t.Nodes = append(t.Nodes, call.Member{Name: name, Addr: n.Addr})
	}
	for name, sp := range state.Spaces {
		for i := range sp.Partitions {
			t.Places = append(t.Places, f.placed(txn.Address{Space: name, Partition: uint16(i)}, sp.Created))
		}
	}
	slices.SortFunc(t.Nodes, func(a, b call.Member) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(t.Places, func(a, b call.Placed) int { return a.At.Compare(b.At) })
	return t
}

// placed returns the node that serves a partition of the space that was created then. What this node does itself it
// knows best.
func (f *fleet) placed(at txn.Address, created uint64) call.Placed {
	p := call.Placed{At: at}
	if heard, ok := f.member.Sight().Served(at); ok && heard.Created == created {
		p.Node, p.Epoch = heard.Node, call.Epoch{Created: created, Claim: heard.Epoch}
	}
	s := f.at(at)
	if s == nil || s.created != created {
		return p
	}
	switch epoch, serves := s.partition.Serving(); {
	case serves && epoch >= p.Epoch.Claim:
		p.Node, p.Epoch = f.cfg.Cluster.Node, call.Epoch{Created: created, Claim: epoch}
	case !serves && p.Node == f.cfg.Cluster.Node:
		p.Node = ""
	}
	return p
}
