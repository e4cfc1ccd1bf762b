package replication

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Cluster configures a store as a node of a cluster of three nodes or more. Several of them have each log, and a
// message is stored once a majority of these have it.
type Cluster struct {
	Name string // of the cluster: the same on all nodes
	Node string // of this node; one of Peers. The folder of a node belongs to it, and to this cluster

	Peers  []Peer // the nodes with which the cluster begins, the same on all of them, this one included
	Listen string // host:port, or :port, to listen on for other nodes; "": the address of Node in Peers

	// Key is a secret that the nodes share, which authenticates them and encrypts what they send. TLS replaces it: each
	// node is a server and a client of the others, so its certificate must be for both. Without either, all addresses
	// must be on this machine.
	Key []byte
	TLS *tls.Config

	// NATS keeps the logs instead of servers within the nodes; nil: the nodes do. Then the addresses of Peers, Listen,
	// Key and TLS are not used.
	NATS *NATS

	// Memory keeps logs in the memory of their nodes only. The folder holds snapshots, and what the nodes have agreed
	// on.
	Memory bool
}

// Peer is a node of a cluster.
type Peer struct {
	Name string // lower-case letters, digits, hyphens and underscores
	Addr string // host:port at which other nodes reach it
}

// minKey is the minimum length of Cluster.Key.
const minKey = 16

// Check returns a SettingError for each thing that is wrong with the configuration, joined; nil if there is none.
func (c *Cluster) Check() error {
	errs := []error{validNode("Cluster.Name", "is", c.Name), validNode("Cluster.Node", "is", c.Node)}
	switch len(c.Peers) {
	case 0, 1:
		errs = append(errs, wrong("Cluster.Peers", "names %d of the nodes: a cluster has three or more", len(c.Peers)))
	case 2:
		errs = append(errs, wrong("Cluster.Peers",
			"names two nodes: a cluster of two stops when either of them does; name three or more"))
	}
	for i, p := range c.Peers {
		errs = append(errs, validNode("Cluster.Peers", "names a node", p.Name))
		if c.NATS == nil {
			errs = append(errs, validAddr("Cluster.Peers", "has the address", p.Addr))
		}
		for _, q := range c.Peers[:i] {
			if q.Name == p.Name {
				errs = append(errs, wrong("Cluster.Peers", "names node %q twice", p.Name))
			}
			if q.Addr == p.Addr && c.NATS == nil {
				errs = append(errs, wrong("Cluster.Peers", "has %s for node %q and for node %q", p.Addr, q.Name,
					p.Name))
			}
		}
	}
	switch _, ok := c.self(); {
	case ok, c.Node == "":
	case c.NATS != nil:
		errs = append(errs, wrong("Cluster.Peers", "lacks this node: add %s", c.Node))
	default:
		errs = append(errs, wrong("Cluster.Peers",
			"lacks this node: add %s=HOST:PORT, with the address at which others reach it", c.Node))
	}
	if c.NATS != nil {
		return errors.Join(append(errs, c.NATS.check(c))...)
	}
	if _, port, err := net.SplitHostPort(c.Listen); c.Listen != "" && (err != nil || !isPort(port)) {
		errs = append(errs, wrong("Cluster.Listen", "is %q; write HOST:PORT, or :PORT for all addresses of the machine",
			c.Listen))
	}
	return errors.Join(append(errs, c.validSecret())...)
}

func (c *Cluster) validSecret() error {
	switch {
	case len(c.Key) > 0 && c.TLS != nil:
		return wrong("Cluster.Key", "and Cluster.TLS exclude each other")
	case len(c.Key) > 0 && len(c.Key) < minKey:
		return wrong("Cluster.Key", "has %d bytes; it must have %d or more", len(c.Key), minKey)
	case c.TLS != nil && len(c.TLS.Certificates) == 0 && c.TLS.GetCertificate == nil:
		return wrong("Cluster.TLS", "has no certificate")
	case len(c.Key) == 0 && c.TLS == nil && !c.local():
		return wrong("Cluster.Key", "or Cluster.TLS is missing: nodes on several machines must know each other")
	}
	return nil
}

// validNode returns nil if name can name a node or a cluster.
func validNode(setting, verb, name string) error {
	if !namesNode(name) {
		return wrong(setting, "%s %.80q; a name has 1 to %d lower-case letters, digits, hyphens and underscores",
			verb, name, maxName)
	}
	return nil
}

// namesNode reports whether name can name a node. The embedded server, to which names of nodes are tags, ignores case.
func namesNode(name string) bool { return ValidName(name) == nil && name == strings.ToLower(name) }

// validAddr returns nil for an address with a host and a port.
func validAddr(setting, verb, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" || !isPort(port) {
		return wrong(setting, "%s %q; write HOST:PORT", verb, addr)
	}
	return nil
}

func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
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

// local reports whether all nodes are on this machine, where no others can reach them.
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
