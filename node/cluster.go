package node

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/cluster"
	"github.com/gospaces/gospaces/replication"
)

// Durability levels of a cluster, by what an acknowledged change survives besides the loss of any one node.
const (
	Replicated       = "replicated"        // the end of all processes, including kill -9
	ReplicatedSynced = "replicated-synced" // loss of power everywhere
	ReplicatedMemory = "replicated-memory" // nothing: the log is on no disk
)

// Cluster configures a node of a cluster: each space is on several nodes, and a change is acknowledged once a majority
// of them have it. If the node that serves a space fails, another one goes on.
type Cluster struct {
	Name  string // of the cluster: the same on all nodes
	Node  string // of this node; one of Peers
	Zone  string // replicas of a space are in different zones if possible; "": none
	Peers []Peer // the nodes with which the cluster begins, three or more, this one included; the same on all

	// NATS is an existing NATS cluster that keeps the logs, in place of the nodes: Peers have no addresses then, and
	// Listen, Key and TLS are not set.
	NATS *NATS

	Listen    string      // host:port to listen on for other nodes; "": the address of Node in Peers
	Advertise string      // host:port at which clients reach this node; "": Config.Listen
	Key       []byte      // secret that the nodes share; what they send is encrypted with it
	TLS       *tls.Config // in place of Key: certificates of the nodes, as servers and clients of each other

	Replicas int     // number of nodes that have a new space; 0: 3
	Patience float64 // factor for the times after which nodes suspect each other; 0: 1, for nodes in one place

	// AuditEvery is how many messages of its log a partition appends until its replicas compare their states; 0: 65536.
	AuditEvery uint64
}

// NATS names a NATS cluster, and the account to use.
type NATS = replication.NATS

// Peer is the name of a node, and the address at which other nodes reach it.
type Peer = replication.Peer

// setDefaults sets the defaults, and returns SettingErrors for invalid settings.
func (c *Cluster) setDefaults(listen, durability string) error {
	c.Replicas = cmp.Or(c.Replicas, 3)
	c.Patience = cmp.Or(c.Patience, 1)
	c.AuditEvery = cmp.Or(c.AuditEvery, 1<<16)
	errs := []error{c.log(durability).Check()}
	switch {
	case c.Replicas < 1 || c.Replicas > call.MaxReplicas:
		errs = append(errs, wrong("Cluster.Replicas", "is %d; it is 1 to %d", c.Replicas, call.MaxReplicas))
	case c.Replicas > len(c.Peers) && len(c.Peers) > 2: // fewer are wrong anyway
		errs = append(errs, wrong("Cluster.Replicas", "is %d: more than the %d nodes in Cluster.Peers", c.Replicas,
			len(c.Peers)))
	}
	if !(c.Patience >= 0.5 && c.Patience <= 100) { // NaN is neither
		errs = append(errs, wrong("Cluster.Patience", "is %v; it is a factor from 0.5 to 100", c.Patience))
	}
	if c.NATS != nil && c.Advertise == "" && c.reachable(listen) == "" {
		errs = append(errs, wrong("Cluster.Advertise",
			"is missing: this node listens on all addresses of its machine, and clients must be told one"))
	}
	if c.Advertise != "" {
		errs = append(errs, checkAddr("Cluster.Advertise", c.Advertise))
	}
	return errors.Join(errs...)
}

// log returns the configuration of the cluster's logs.
func (c *Cluster) log(durability string) *replication.Cluster {
	return &replication.Cluster{
		Name: c.Name, Node: c.Node, Peers: c.Peers, Listen: c.Listen, Key: c.Key, TLS: c.TLS, NATS: c.NATS,
		Memory: durability == ReplicatedMemory,
	}
}

// founders returns the names of the nodes with which the cluster begins.
func (c *Cluster) founders() (names []string) {
	for _, p := range c.Peers {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}

// reachable returns an address at which clients on other machines reach a node that listens on addr: if that is all
// addresses of its machine, the host at which other nodes reach it; "" if they do not.
func (c *Cluster) reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		return addr
	}
	if c.NATS != nil {
		return ""
	}
	for _, p := range c.Peers {
		if p.Name == c.Node {
			host, _, _ = net.SplitHostPort(p.Addr)
		}
	}
	return net.JoinHostPort(host, port)
}

// timing returns the times after which nodes suspect each other.
func (c *Cluster) timing() cluster.Timing { return cluster.Timings(c.Patience) }

// levels returns the durability levels that a node may have, and the default. Whether the files of a NATS cluster are
// synced is for its servers to say.
func (c *Config) levels() (all []string, standard string) {
	if c.Cluster != nil && c.Cluster.NATS != nil {
		return []string{Replicated, ReplicatedMemory}, Replicated
	}
	if c.Cluster != nil {
		return []string{Replicated, ReplicatedSynced, ReplicatedMemory}, Replicated
	}
	return []string{Memory, Logged, Synced}, Logged
}
