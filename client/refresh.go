package client

import (
	"context"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
)

// A client that lives for long learns of nodes that join and leave. Each Pong has the version of what the node knows of
// its cluster, and there are Pings in any case: when the version is another than the client was told last, it asks. So
// news costs one question, and a client of a cluster that does not change sends nothing for it.

// handlePong asks the node for its topology if that has changed.
func (l *link) handlePong(f wire.Frame) error {
	d := wire.NewDecoder(f.Body)
	version := d.Uvarint()
	if err := d.Err(); err != nil {
		return err
	}
	if l.node.version.Swap(version) != version {
		l.begin(l.refresh)
	}
	return nil
}

// refresh asks the node for its topology. If no answer comes, the next Pong has it asked again.
func (l *link) refresh() {
	over, cancel := l.life.context()
	defer cancel()
	ctx, stop := context.WithTimeout(over, l.cfg.DialTimeout)
	defer stop()
	t, err := l.askTopology(ctx)
	if err != nil {
		l.node.version.Store(0)
		l.cfg.Logger.Debug("a node does not tell of its cluster", "addr", l.node.addr, "error", err)
		return
	}
	l.client.heed(ctx, t, l.node, nil)
}

// dismiss closes the links to nodes that have left the cluster, as the node from tells it. A node where the client
// still has a partition is kept until that has moved.
func (c *Client) dismiss(t *call.Topology, from *node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	used := map[*node]bool{from: true}
	for _, s := range c.parts {
		used[s.place.Load().node] = true
	}
	c.topology.dismiss(t, from, func(n *node) bool { return used[n] }, c.cfg.addrs())
}

// dismiss removes the nodes that are not told and not used. Addresses that are to be kept stay known: another node may
// answer there.
func (t *topology) dismiss(told *call.Topology, from *node, used func(*node) bool, keep []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if told.Version == 0 || told.Version < t.version || t.closed {
		return
	}
	t.version = told.Version
	var left []*node
	t.nodes = slices.DeleteFunc(t.nodes, func(n *node) bool {
		member := slices.ContainsFunc(told.Nodes, func(m call.Member) bool { return m.Name == n.name })
		if n.name == "" || member || used(n) {
			return false
		}
		left = append(left, n)
		return true
	})
	for _, n := range left {
		t.leaving.Go(func() { closeLinks(n.links) })
		for _, addr := range append([]string{n.addr}, n.also...) {
			if slices.Contains(keep, addr) {
				t.nodeLocked(addr)
			}
		}
		if t.home == n {
			t.home = from
		}
	}
}
