package node

import (
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/txn"
)

// backend is a node, alone, as its server sees it.
type backend struct{ *Node }

var (
	_ server.Spaces    = backend{}
	_ server.Snapshots = backend{}
	_ server.Backups   = backend{}
)

// Lookup implements server.Spaces.
func (b backend) Lookup(at txn.Address) (server.Place, error) {
	s, f, err := b.spaces.at(at)
	switch {
	case err != nil:
		return server.Place{}, err
	case f == nil:
		return server.Place{Host: b.spaces.absent}, nil
	case s == nil:
		return server.Place{Host: b.spaces.absent, Partitions: len(f.parts)}, nil
	}
	return server.Place{Host: s.host, Incarnation: s.incarnation, Partitions: len(f.parts)}, nil
}

// Create implements server.Spaces.
func (b backend) Create(name string, shape call.Shape) error {
	if err := validShape(shape); err != nil {
		return err
	}
	if shape.Replicas > 1 {
		return fmt.Errorf("%w: space %q with %d replicas: this server is not a node of a cluster, and has the only one",
			call.ErrInvalidArgument, name, shape.Replicas)
	}
	_, err := b.spaces.open(name, int(shape.Partitions))
	return err
}
