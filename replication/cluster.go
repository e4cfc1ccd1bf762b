package replication

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
)

// Cluster configures a store as a node of a cluster: each of its logs is on several nodes, and a message is stored once
// a majority of these have it. A cluster has three nodes or more.
type Cluster struct {
	Name string // of the cluster: the same on all nodes
	Node string // of this node; one of Peers. The folder of a node belongs to it, and to this cluster

	Peers  []Peer // the nodes with which the cluster begins, the same on all of them, this one included
	Listen string // host:port to listen on for other nodes; "": the address of Node in Peers

	// Key is a secret that the nodes share. By it they know each other; what they send is encrypted. TLS is used in its
	// place if that is set: certificates for both directions, since each node is a client of the others. Without either,
	// all addresses must be of this machine.
	Key []byte
	TLS *tls.Config

	// Memory keeps logs in the memory of their nodes only. The folder holds snapshots, and what the nodes have agreed on.
	Memory bool
}

// Peer is a node of a cluster.
type Peer struct {
	Name string // lower-case letters, digits, hyphens and underscores
	Addr string // host:port at which other nodes reach it
}

// minKey is the minimum length of Cluster.Key.
const minKey = 16

// valid returns all that is wrong with the configuration of a cluster.
func (c *Cluster) valid() error {
	errs := []error{validNode("the cluster", c.Name), validNode("the node", c.Node)}
	switch len(c.Peers) {
	case 0, 1:
		errs = append(errs, errors.New("replication: a cluster of one node never elects a leader: "+
			"name three nodes or more in Cluster.Peers, or set no Cluster"))
	case 2:
		errs = append(errs, errors.New("replication: a cluster of two nodes stops when either of them does: "+
			"name three nodes or more in Cluster.Peers"))
	}
	for i, p := range c.Peers {
		errs = append(errs, validNode("a peer", p.Name), validAddr(p.Name, p.Addr))
		if slices.ContainsFunc(c.Peers[:i], func(q Peer) bool { return q.Name == p.Name || q.Addr == p.Addr }) {
			errs = append(errs, fmt.Errorf("replication: two peers have the name %s, or the address %s", p.Name, p.Addr))
		}
	}
	if _, ok := c.self(); !ok {
		errs = append(errs, fmt.Errorf("replication: node %q is not one of the peers: add %s=HOST:PORT, where others reach it",
			c.Node, c.Node))
	}
	if c.Listen != "" {
		errs = append(errs, validAddr("Cluster.Listen", c.Listen))
	}
	return errors.Join(append(errs, c.validSecret())...)
}

func (c *Cluster) validSecret() error {
	switch {
	case len(c.Key) > 0 && c.TLS != nil:
		return errors.New("replication: Cluster.Key and Cluster.TLS exclude each other")
	case len(c.Key) > 0 && len(c.Key) < minKey:
		return fmt.Errorf("replication: Cluster.Key has %d bytes; it must have %d or more", len(c.Key), minKey)
	case c.TLS != nil && len(c.TLS.Certificates) == 0 && c.TLS.GetCertificate == nil:
		return errors.New("replication: Cluster.TLS has no certificate")
	case len(c.Key) == 0 && c.TLS == nil && !c.local():
		return errors.New("replication: nodes on several machines must know each other: set Cluster.Key or Cluster.TLS")
	}
	return nil
}

// validNode returns nil if name can name a node or a cluster. Names of nodes are tags to the embedded server, which
// ignores case.
func validNode(what, name string) error {
	if ValidName(name) != nil || name != strings.ToLower(name) {
		return fmt.Errorf("%w: %s is called %.80q: must have 1 to %d lower-case letters, digits, hyphens and underscores",
			ErrInvalidName, what, name, maxName)
	}
	return nil
}

func validAddr(what, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" || port == "" || port == "0" {
		return fmt.Errorf("replication: the address of %s is %q; it must be HOST:PORT", what, addr)
	}
	return nil
}

// self returns this node as one of the peers.
func (c *Cluster) self() (Peer, bool) {
	i := slices.IndexFunc(c.Peers, func(p Peer) bool { return p.Name == c.Node })
	if i < 0 {
		return Peer{}, false
	}
	return c.Peers[i], true
}

// names returns the names of the peers.
func (c *Cluster) names() (names []string) {
	for _, p := range c.Peers {
		names = append(names, p.Name)
	}
	return names
}

// listen returns the address to listen on for other nodes.
func (c *Cluster) listen() string {
	if c.Listen != "" {
		return c.Listen
	}
	p, _ := c.self()
	return p.Addr
}

// local reports whether all nodes are on this machine, and no others can reach them.
func (c *Cluster) local() bool {
	if !loopback(c.listen()) {
		return false
	}
	return !slices.ContainsFunc(c.Peers, func(p Peer) bool { return !loopback(p.Addr) })
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}
