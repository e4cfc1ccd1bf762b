package replication

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/nats-io/nats-server/v2/server"
)

// Raft is this node's knowledge of a group of nodes that elect a leader: those of a log, or all of the cluster.
type Raft struct {
	Member bool   // the node is one of the group; everything else is zero otherwise
	Leader string // the name of the leader's node; "" if there is none, or its name is not known yet
	Leads  bool   // the node is the leader

	Index   uint64 // of the last entry that the node has: who has the highest can be elected
	Applied uint64 // of the last entry that it has applied
	Term    uint64 // it rises with each election
}

// Raft returns the state of the log's group at this node; the zero value if the node is not one of the group, or not in
// a cluster. It does not block.
func (l *Log) Raft() Raft {
	srv, err := l.store.server()
	if err != nil || l.store.cfg.Cluster == nil {
		return Raft{}
	}
	return srv.raftState(l.group(srv))
}

// Nudge makes this node, a follower in the log's group, stand for election now instead of some seconds later. All rules
// of an election hold. It does nothing on the leader, nor in a program that was built with the tag nolink.
//
// The caller makes sure that the group has no leader, or a silent one, that a majority of its nodes is alive, and that
// no election is under way: each call begins another.
func (l *Log) Nudge() error {
	srv, err := l.store.server()
	if err != nil {
		return err
	}
	nudge(l.group(srv))
	return nil
}

// Beat makes this node, if it leads the log's group, tell the others so now: after an election they may not know for a
// second.
func (l *Log) Beat() {
	srv, err := l.store.server()
	if err != nil {
		return
	}
	if n := l.group(srv); n != nil && n.Leader() {
		n.SendHeartbeat()
	}
}

// LeadHere asks the leader of the log's group to let this node lead instead, which makes appends faster. It does not
// wait, and promises nothing.
func (l *Log) LeadHere() error {
	srv, err := l.store.server()
	if err != nil || srv.isOutside() {
		return err
	}
	var request struct {
		Placement struct {
			Preferred string `json:"preferred"`
		} `json:"placement"`
	}
	request.Placement.Preferred = l.store.Node()
	b, err := json.Marshal(request)
	if err != nil {
		return err
	}
	return srv.nc.Publish("$JS.API.STREAM.LEADER.STEPDOWN."+l.id.stream(), b)
}

// Meta is Raft for the group of all nodes, whose leader makes logs and decides where they are.
func (s *Store) Meta() Raft {
	srv, err := s.server()
	if err != nil || s.cfg.Cluster == nil {
		return Raft{}
	}
	return srv.raftState(metaGroup(srv.srv))
}

// NudgeMeta is Log.Nudge for the group of all nodes.
func (s *Store) NudgeMeta() error {
	srv, err := s.server()
	if err != nil {
		return err
	}
	nudge(metaGroup(srv.srv))
	return nil
}

// Durable reports whether logs outlive their processes.
func (s *Store) Durable() bool { return s.cfg.Cluster == nil || !s.cfg.Cluster.Memory }

// Exclude removes a node that will not come back from the group of all nodes. From then on a majority of the others
// suffices to make logs; the removal itself needs a majority that counts the node. It returns when that is done, or was
// before, and the cause of ctx's end, after which it may still be done.
func (s *Store) Exclude(ctx context.Context, node string) error {
	srv, err := s.server()
	if err != nil {
		return err
	}
	if srv.isOutside() {
		return nil // the node was in no group
	}
	ctx, cancel := s.bound(ctx)
	defer cancel()
	for {
		meta := metaGroup(srv.srv)
		if meta == nil {
			return fmt.Errorf("exclude node %q: this program cannot, since it was built with the tag nonudge", node)
		}
		number := nodeNumber(node)
		if !slices.ContainsFunc(meta.Peers(), func(p *server.Peer) bool { return p.ID == number }) {
			return nil
		}
		if err := meta.ProposeRemovePeer(number); err != nil { // it is asked again
			s.cfg.Logger.Debug("node_not_excluded", "node", node, "error", err)
		}
		if err := pause(ctx, createPause); err != nil {
			return fmt.Errorf("exclude node %q: %w", node, err)
		}
	}
}

// group returns the member of the log's group that runs here, or nil.
func (l *Log) group(srv *embedded) server.RaftNode { return streamGroup(srv.srv, l.id.stream()) }

func (e *embedded) raftState(n server.RaftNode) Raft {
	if n == nil {
		return Raft{}
	}
	r := Raft{Member: true, Leads: n.Leader(), Term: n.Term()}
	r.Index, _, r.Applied = n.Progress()
	if leader := n.GroupLeader(); leader != "" {
		r.Leader = nodeName(e.srv, leader)
	}
	return r
}
