package node

import (
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
	case s == nil:
		return server.Place{Host: b.spaces.absent}, nil
	}
	return server.Place{Host: s.host, Incarnation: s.incarnation, Partitions: len(f.parts)}, nil
}

// Create implements server.Spaces.
func (b backend) Create(name string, partitions int) error {
	_, err := b.spaces.open(name, partitions)
	return err
}
