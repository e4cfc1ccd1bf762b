package replication

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const (
	// tlsTimeout limits the handshake between two nodes, in seconds.
	tlsTimeout = 10

	// routePing is the interval at which a node pings another, and routePings the number of unanswered pings after
	// which it connects anew: nothing else notices a connection that was cut silently.
	routePing, routePings = 3 * time.Second, 2

	// askPause is how often a node that starts asks whether the cluster is ready, and askTimeout how long it waits for
	// an answer: without a leader there is none.
	askPause, askTimeout = 100 * time.Millisecond, 300 * time.Millisecond

	// leaderPause is how long a starting cluster has no leader before one of its nodes stands for election.
	leaderPause = 1500 * time.Millisecond

	// tellPause is how long a node waits for others before it tells.
	tellPause = time.Second
)

// join turns the options of a server that is alone into those of a node.
func (e *embedded) join(o *server.Options) error {
	c := e.cluster
	host, port, err := net.SplitHostPort(c.listen())
	if err != nil {
		return err
	}
	o.ServerName = c.Node
	o.Tags = append(o.Tags, c.Node) // by which logs are placed
	// Routes wait for the port for clients. There is no login: the only user exists within this process.
	o.DontListen, o.Host, o.Port = false, "127.0.0.1", server.RANDOM_PORT
	o.Users = []*server.User{{
		Username: o.Username, Password: o.Password, AllowedConnectionTypes: map[string]struct{}{"IN_PROCESS": {}},
	}}
	o.Username, o.Password = "", ""
	o.JetStreamMaxMemory = math.MaxInt64 / 2
	o.Cluster = server.ClusterOpts{
		Name: c.Name, Host: host, NoAdvertise: true, TLSTimeout: tlsTimeout,
		PingInterval: routePing, MaxPingsOut: routePings,
		Compression: server.CompressionOpts{Mode: server.CompressionOff},
	}
	if self, ok := c.self(); ok && c.Listen != "" {
		o.Cluster.Advertise = self.Addr // others reach it there
	}
	if !c.local() {
		o.Cluster.Compression.Mode = server.CompressionS2Fast
	}
	if o.Cluster.Port, err = strconv.Atoi(port); err != nil {
		return err
	}
	for _, p := range c.Peers { // itself too: their number is that of the first election
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: p.Addr})
	}
	o.Cluster.TLSConfig, err = c.tls()
	return err
}

// reconnects makes a connection last as long as its server. What is sent while it is interrupted fails.
func reconnects(o *nats.Options) error {
	o.AllowReconnect, o.MaxReconnect, o.ReconnectWait = true, -1, 10*time.Millisecond
	o.ReconnectBufSize = -1
	return nil
}

// awaitCluster returns once this node sees a leader of the cluster, which makes logs. It calls waits when the reason
// for waiting changes.
func (e *embedded) awaitCluster(ctx context.Context, log *serverLog, waits func(why string)) error {
	began, without, told := time.Now(), leaderless{}, ""
	for !e.answers(ctx) {
		if e.stands() && without.over(time.Now(), e.raftState(metaGroup(e.srv))) {
			nudge(metaGroup(e.srv))
		}
		if err := errors.Join(log.fatal(), context.Cause(ctx)); err != nil {
			return err
		}
		if why := e.awaited(log.strangers()); why != told && time.Since(began) >= tellPause {
			told = why
			waits(why)
		}
		select {
		case <-time.After(askPause):
		case <-ctx.Done():
		}
	}
	return nil
}

// awaited returns the reason why a cluster that starts does not answer. With strangers, nodes were refused because they
// do not have this node's secret.
func (e *embedded) awaited(strangers bool) string {
	there, all := e.nodes(), e.cluster.names()
	if 2*len(there) > len(all) {
		return fmt.Sprintf("waits for a leader: %d of %d nodes are there", len(there), max(len(there), len(all)))
	}
	slices.Sort(all)
	missing := slices.DeleteFunc(slices.Clone(all), func(n string) bool { return slices.Contains(there, n) })
	why := fmt.Sprintf("waits for a majority: %d of %d nodes are there; not there: %s", len(there), len(all),
		strings.Join(missing, ", "))
	if strangers {
		why += "; a node was refused, since its cluster key or the name of its cluster is not that of this node"
	}
	return why
}

// leaderless measures for how long a group has had no leader.
type leaderless struct {
	since time.Time // or since this node last stood for election; zero: not yet
	term  uint64
}

// over reports whether the group has waited long enough. A leader reports each second.
func (l *leaderless) over(now time.Time, r Raft) bool {
	if r.Leader != "" || r.Term != l.term || l.since.IsZero() { // there is one, or an election has begun
		l.since, l.term = now, r.Term
		return false
	}
	if now.Sub(l.since) < leaderPause {
		return false
	}
	l.since = now
	return true
}

// stands reports whether this node is to stand for election when a whole cluster starts, which would otherwise take
// some seconds: it is the first of the nodes that are there, and they are a majority.
func (e *embedded) stands() bool {
	there := e.nodes()
	return len(there) > len(e.cluster.Peers)/2 && there[0] == e.cluster.Node
}

// answers reports whether the leader of the cluster answers, and this node knows which logs exist.
func (e *embedded) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_, err := e.js.AccountInfo(ctx)
	return err == nil && e.srv.JetStreamIsCurrent()
}

// nodes returns the sorted names of the nodes that this one is connected to, and its own.
func (e *embedded) nodes() []string {
	names := []string{e.cluster.Node}
	if e.isOutside() {
		return names
	}
	if routes, err := e.srv.Routez(nil); err == nil {
		for _, r := range routes.Routes {
			names = append(names, r.RemoteName)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Conn returns the connection of this process to its server, for messages between nodes. It lasts as long as the store.
// Messages reach the nodes that are connected, and are kept nowhere. The caller must not close it. It is nil once the
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

// Nodes returns the sorted names of the nodes that this one is connected to, and its own; nil if it is in no cluster.
// With Cluster.NATS nodes are not connected to each other.
func (s *Store) Nodes() []string {
	srv, err := s.server()
	if err != nil || s.cfg.Cluster == nil {
		return nil
	}
	return srv.nodes()
}
