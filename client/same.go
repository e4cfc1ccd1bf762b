package client

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/gospaces/gospaces/internal/wire"
)

// Several addresses are those of one server, or of nodes of one cluster: then whichever answers has the same data. What
// a server has is known by the name of its cluster, or by an identity of its own. A client never goes on at a server
// that has other data.

// servesAs returns what the server with these terms has; "" if it does not tell.
func servesAs(terms *wire.Terms) string {
	switch {
	case terms.Cluster != "":
		return "cluster " + terms.Cluster
	case terms.Data != "":
		return "data " + terms.Data
	}
	return ""
}

// identify takes note of who answers for n. It returns an error if that is another node of the cluster, as with an
// address that stands for several, or a server with other data. again says that n was last connected to at this
// address: a server that is alone may have been replaced there.
func (t *topology) identify(n *node, terms *wire.Terms, again bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch serves := servesAs(terms); {
	case n.name != "" && terms.Node != "" && n.name != terms.Node:
		return fmt.Errorf("node %q answers at the address of another one", terms.Node)
	case t.serves == "", again && t.home == n && terms.Cluster == "":
		t.serves = serves
	case serves != "" && t.serves != serves:
		return fmt.Errorf("%s is another server, with other data", n.addr)
	}
	n.name = terms.Node
	return nil
}

// isStranger reports whether a server with these terms has other data than the client's.
func (t *topology) isStranger(terms *wire.Terms) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return servesAs(terms) != t.serves
}

// isAlone reports whether n, which has answered, is in no cluster.
func (t *topology) isAlone(n *node) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return n.name == ""
}

// compare asks the other addresses, if the server at n is in no cluster, what they have. It returns an error if there
// is a server with other data. An address that does not answer soon is not waited for.
func (c *Client) compare(ctx context.Context, n *node) error {
	if len(c.cfg.addrs()) == 1 || !c.topology.isAlone(n) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, stagger)
	defer cancel()
	for a := range c.probeAll(ctx, n.addr) {
		if c.topology.isStranger(a.terms) {
			return invalid("client: %s and %s are different servers, each with data of its own: name one of them; "+
				"several addresses are those of one server, or of the nodes of one cluster", n.addr, a.addr)
		}
	}
	return nil
}

// tryAddresses looks for another address at which the server of l answers, which is in no cluster. If there is one, l
// goes on there, and resumes its session.
func (c *Client) tryAddresses(ctx context.Context, l *link) {
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	for a := range c.probeAll(ctx, l.addr()) {
		if !c.topology.isStranger(a.terms) {
			l.goOnAt(a.addr)
			return
		}
		c.cfg.Logger.Warn("an address is that of another server, with other data; it is not used", "addr", a.addr)
	}
}

// addr returns the address of the connection, or of the next.
func (l *link) addr() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at
}

// failedAt makes l try the next address of its node, unless another was found meanwhile.
func (l *link) failedAt(addr string) {
	next := l.client.topology.addrAfter(l.node, addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == addr {
		l.at = next
	}
}

// goOnAt makes l connect again, to an address of its node.
func (l *link) goOnAt(addr string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = addr
	l.out.cut()
}

// probed is what has answered at an address.
type probed struct {
	addr  string
	terms *wire.Terms
}

// probeAll asks all addresses of the configuration but one, and yields those that answer, until ctx ends.
func (c *Client) probeAll(ctx context.Context, but string) iter.Seq[probed] {
	return func(yield func(probed) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var asking sync.WaitGroup
		defer asking.Wait()
		defer cancel()
		answers := make(chan probed)
		for _, addr := range c.cfg.addrs() {
			if addr == but {
				continue
			}
			asking.Go(func() {
				terms, err := c.probe(ctx, addr)
				if err != nil {
					c.cfg.Logger.Debug("an address does not answer", "addr", addr, "error", err)
					return
				}
				select {
				case answers <- probed{addr, terms}:
				case <-ctx.Done():
				}
			})
		}
		over := make(chan struct{})
		go func() { asking.Wait(); close(over) }()
		for {
			select {
			case a := <-answers:
				if !yield(a) {
					return
				}
			case <-over:
				return
			}
		}
	}
}

// probe does a handshake as another client, and returns the terms.
func (c *Client) probe(ctx context.Context, addr string) (*wire.Terms, error) {
	conn, err := c.cfg.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	l := newLink(c, newNode(addr), newLane(0))
	terms, err := l.greet(conn, wire.NewReader(conn, wire.MaxHello))
	if err == nil {
		_, _ = conn.Write(wire.AppendFrame(nil, wire.Goodbye, 0, nil)) // otherwise the session ends after a while
	}
	return terms, err
}
