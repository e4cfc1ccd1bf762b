package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/gospaces/gospaces/node"
)

// clusterFlags are the settings of a server that is a node of a cluster.
type clusterFlags struct {
	node.Cluster
	peers   string
	keyFile string
	cert    string
	certKey string
	ca      string
	nats    node.NATS
}

// addTo adds the flags.
func (c *clusterFlags) addTo(flags *pflag.FlagSet) {
	flags.StringVar(&c.Name, "cluster", "", "name of the cluster of which this server is a node; none: it is alone")
	flags.StringVar(&c.Node, "node", "", "name of this node")
	flags.StringVar(&c.peers, "peers", "",
		"nodes of the cluster, this one included, as in a=10.0.0.1:6222,b=10.0.0.2:6222,c=10.0.0.3:6222; "+
			"the same on all when the cluster begins")
	flags.StringVar(&c.nats.URL, "nats", "",
		"URL of an existing NATS cluster, as in nats://n1:4222,nats://n2:4222, whose JetStream keeps the logs; "+
			"--peers then names the nodes only, as in a,b,c; none: the nodes keep them")
	flags.StringVar(&c.nats.Creds, "creds", "", "file with the credentials for --nats")
	flags.StringVar(&c.Zone, "zone", "", "zone of this node: replicas of a space are in different ones if possible")
	flags.StringVar(&c.Listen, "cluster-listen", "",
		"address to listen on for other nodes; default: the one of this node in --peers")
	flags.StringVar(&c.Advertise, "advertise", "",
		"address at which clients of other nodes reach this one; default: that of --listen")
	flags.StringVar(&c.keyFile, "cluster-key-file", "",
		"file with a secret of 16 bytes or more that all nodes share: what they send is encrypted with it")
	flags.StringVar(&c.cert, "cluster-cert", "", "file with the certificate of this node, in place of a shared secret")
	flags.StringVar(&c.certKey, "cluster-cert-key", "", "file with the key of --cluster-cert")
	flags.StringVar(&c.ca, "cluster-ca", "", "file with the certificates that sign those of the nodes")
	flags.IntVar(&c.Replicas, "replicas", 3, "nodes that have each space: more than half of them must be up")
	flags.Float64Var(&c.Patience, "patience", 1,
		"factor for the times after which nodes suspect each other; 5 suits nodes on different continents")
	flags.Uint64Var(&c.AuditEvery, "audit-every", 1<<16,
		"messages that the log of a partition grows by until its replicas compare their states")
}

// forCluster are the flags that mean nothing without --cluster.
var forCluster = []string{
	"node", "peers", "zone", "cluster-listen", "advertise", "cluster-key-file", "cluster-cert", "cluster-cert-key",
	"cluster-ca", "replicas", "patience", "audit-every", "nats", "creds",
}

// checkAlone refuses settings of a cluster for a server that is alone, from wherever they come.
func (c *clusterFlags) checkAlone(flags *pflag.FlagSet) error {
	if c.Name != "" {
		return nil
	}
	for _, name := range forCluster {
		if f := flags.Lookup(name); f.Value.String() != f.DefValue {
			return usage("--%s is for a node of a cluster: name the cluster with --cluster", name)
		}
	}
	return nil
}

// config returns the configuration of the node's cluster; nil if the server is alone. An error is one of usage.
func (c *clusterFlags) config() (*node.Cluster, error) {
	if c.Name == "" {
		return nil, nil
	}
	if c.Node == "" || c.peers == "" {
		return nil, errors.New("--cluster needs --node, the name of this node, and --peers, the nodes to begin with")
	}
	cfg := c.Cluster
	switch {
	case c.nats.URL != "":
		cfg.NATS = &c.nats
	case c.nats.Creds != "":
		return nil, errors.New("--creds has the credentials for a NATS cluster: name that with --nats")
	}
	for _, peer := range strings.Split(c.peers, ",") {
		name, addr, ok := strings.Cut(strings.TrimSpace(peer), "=")
		if !ok && cfg.NATS == nil {
			return nil, fmt.Errorf("--peers has %q; each node is given as NAME=HOST:PORT", peer)
		}
		cfg.Peers = append(cfg.Peers, node.Peer{Name: name, Addr: addr})
	}
	var err error
	if cfg.Key, err = c.key(); err != nil {
		return nil, err
	}
	cfg.TLS, err = c.tls()
	return &cfg, err
}

// key returns the secret that the nodes share, or nil.
func (c *clusterFlags) key() ([]byte, error) {
	if c.keyFile == "" {
		return nil, nil
	}
	key, err := os.ReadFile(c.keyFile)
	if err != nil {
		return nil, fmt.Errorf("--cluster-key-file: %w", err)
	}
	if key = bytes.TrimSpace(key); len(key) == 0 {
		return nil, fmt.Errorf("--cluster-key-file: %s is empty", c.keyFile)
	}
	return key, nil
}

// tls returns the certificates of the nodes, or nil.
func (c *clusterFlags) tls() (*tls.Config, error) {
	switch {
	case c.cert == "" && c.certKey == "" && c.ca == "":
		return nil, nil
	case c.cert == "" || c.certKey == "" || c.ca == "":
		return nil, errors.New("--cluster-cert, --cluster-cert-key and --cluster-ca belong together")
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.certKey)
	if err != nil {
		return nil, fmt.Errorf("--cluster-cert: %w", err)
	}
	signers, err := os.ReadFile(c.ca)
	if err != nil {
		return nil, fmt.Errorf("--cluster-ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(signers) {
		return nil, fmt.Errorf("--cluster-ca: %s has no certificate", c.ca)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: pool, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13,
	}, nil
}
