package node

import (
	"context"

	"github.com/gospaces/gospaces/internal/cluster"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/txn"
)

// Lookup is what the server finds at an address.
func (n *Node) Lookup(at txn.Address) (server.Place, error) {
	return backend{n}.Lookup(at)
}

// Snapshot is what the server does for gospaces snapshot.
func (n *Node) Snapshot(ctx context.Context, at txn.Address) (uint64, error) {
	return backend{n}.Snapshot(ctx, at)
}

// WithLog returns cfg with a wrapper around each space's log.
func WithLog(cfg Config, wrap func(space string, l partition.Log) partition.Log) Config {
	cfg.wrapLog = wrap
	return cfg
}

// Settled reports whether no transaction over several spaces is left unfinished.
func (n *Node) Settled() bool {
	for _, a := range n.spaces.addresses() {
		s := n.spaces.partition(a).Participant()
		if len(s.Decisions())+len(s.Branches()) > 0 {
			return false
		}
	}
	return true
}

// Backups returns how many backups are kept for clients.
func (n *Node) Backups() int {
	n.backups.mu.Lock()
	defer n.backups.mu.Unlock()
	return len(n.backups.byID)
}

// DropLog removes the log of a partition under it.
func (n *Node) DropLog(ctx context.Context, space string, partition int) error {
	return n.spaces.store.Drop(ctx, space, partition)
}

// Waits returns how many calls wait in a partition that the node leads, or 0.
func (n *Node) Waits(at txn.Address) int {
	if p := n.fleet.led(at); p != nil {
		return p.Stats().Waiting
	}
	return 0
}

// Dismiss ends the node's replica of a partition as if it had moved.
func (n *Node) Dismiss(at txn.Address) {
	s := n.fleet.at(at)
	s.partition.Quit(n.fleet.ended(at, cluster.Moved))
	n.fleet.server.Replaced(s.host)
}
