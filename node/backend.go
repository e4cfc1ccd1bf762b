package node

import (
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/txn"
)

// backend is a node as its server sees it.
type backend struct{ *Node }

var (
	_ server.Spaces    = backend{}
	_ server.Snapshots = backend{}
	_ server.Backups   = backend{}
)

// Lookup implements server.Spaces.
func (b backend) Lookup(at txn.Address) (server.Host, string, error) {
	s, err := b.spaces.at(at)
	switch {
	case err != nil:
		return nil, "", err
	case s == nil:
		return b.spaces.absent, "", nil
	}
	return s.host, s.incarnation, nil
}

// Create implements server.Spaces.
func (b backend) Create(name string) error {
	_, err := b.spaces.open(name)
	return err
}
