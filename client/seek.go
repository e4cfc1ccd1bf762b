package client

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/txn"
)

// Any node knows where partitions are. A client asks the node that it has dialled, and so learns of the others. When a
// node cannot be reached, or is silent, the client asks other nodes until one has news, or the node answers again: only
// news moves a partition, never the mere slowness of a node.

// askTopology asks the node of l.
func (l *link) askTopology(ctx context.Context) (*call.Topology, error) {
	c := newCall(l.client.Space.only, wire.Topology)
	defer c.free()
	c.link, c.posthumous = l, true
	if err := l.call(ctx, c); err != nil {
		return nil, err
	}
	r, err := c.result()
	if err != nil {
		return nil, err
	}
	l.node.version.Store(r.Report.Topology.Version)
	return r.Report.Topology, nil
}

// meet asks n, which was just dialled, for the other nodes and the places of partitions. If no answer comes, calls
// still find their way, but may have to try several nodes.
func (c *Client) meet(ctx context.Context, n *node) {
	asking, cancel := context.WithTimeout(ctx, c.cfg.DialTimeout)
	defer cancel()
	if t, err := n.links[0].askTopology(asking); err == nil {
		c.heed(ctx, t, n, nil)
	}
}

// heed applies what the node from says of places. Partitions of the node gone, which cannot be reached, move to from if
// it does not know them: their space does not exist, and any node can create it. gone may be nil.
func (c *Client) heed(ctx context.Context, t *call.Topology, from, gone *node) {
	c.topology.meet(t.Nodes)
	told := map[txn.Address]call.Placed{}
	for _, p := range t.Places {
		told[p.At] = p
	}
	for _, s := range c.allParts() {
		at := s.place.Load()
		switch p, known := told[s.at]; {
		case !known && at.node == gone:
			c.topology.move(s, gone, place{node: from})
		case known && p.Node != "":
			c.heedPlace(ctx, s, p)
		}
	}
	c.dismiss(t, from)
}

// heedPlace applies what a node says of the place of s, if that is news.
func (c *Client) heedPlace(ctx context.Context, s *part, p call.Placed) {
	at, to := s.place.Load(), c.topology.named(p.Node)
	if to == nil || p.Epoch.Compare(at.epoch) <= 0 {
		return
	}
	if to != at.node {
		if err := c.open(ctx, to); err != nil {
			c.cfg.Logger.Debug("cannot connect", "addr", to.addr, "error", err)
			return
		}
	}
	c.topology.move(s, at.node, place{to, p.Epoch})
}

// Limits of one round of questions.
const (
	askAtOnce = 3                      // nodes that are asked
	roundTime = 500 * time.Millisecond // time for the answers
)

// seek begins to ask other nodes for the partitions of l's node, unless that is in progress. It goes on until l is well
// again, or its node is not needed.
func (l *link) seek() {
	if !l.node.sought.CompareAndSwap(false, true) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	begun := l.life.start(func() {
		defer l.node.sought.Store(false)
		ctx, cancel := l.life.context()
		defer cancel()
		for pauses := unserved; !l.isWell() && l.client.needs(l.node); {
			if l.client.topology.isAlone(l.node) {
				l.client.tryAddresses(ctx, l)
			} else {
				l.client.ask(ctx, l)
			}
			if pauses.Wait(ctx) != nil {
				return
			}
		}
	})
	if !begun {
		l.node.sought.Store(false)
	}
}

// isWell reports whether the node of l can be reached, and answers.
func (l *link) isWell() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.life.state != down && !l.silence.suspect
}

// ask asks some of the other nodes, and applies their answers as they come.
func (c *Client) ask(ctx context.Context, lost *link) {
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	others := c.topology.others(lost.node)
	rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	others = others[:min(len(others), askAtOnce)]
	type answer struct {
		from *node
		*call.Topology
	}
	answers := make(chan answer, len(others))
	for _, n := range others {
		lost.begin(func() {
			t, err := c.askNode(ctx, n)
			if err != nil {
				c.cfg.Logger.Debug("a node does not tell where partitions are", "addr", n.addr, "error", err)
			}
			answers <- answer{n, t}
		})
	}
	for range others {
		select {
		case a := <-answers:
			if a.Topology != nil {
				c.heed(ctx, a.Topology, a.from, lost.goneNode())
			}
		case <-ctx.Done():
			return
		}
		if !c.needs(lost.node) {
			return
		}
	}
}

func (c *Client) askNode(ctx context.Context, n *node) (*call.Topology, error) {
	if err := c.open(ctx, n); err != nil {
		return nil, err
	}
	n.asked.Add(1)
	defer n.asked.Add(-1)
	n.stir() // its links may wait to be needed
	return n.links[0].askTopology(ctx)
}

// goneNode returns the node of l if it cannot be reached, or else nil.
func (l *link) goneNode() *node {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.life.state == down {
		return l.node
	}
	return nil
}
