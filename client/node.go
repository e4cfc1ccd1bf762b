package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gospaces/gospaces/space"
)

// node is a server with the links to it: one for each lane, made when the node is first needed.
type node struct {
	addr   string        // under which it became known
	turn   chan struct{} // capacity 1: held while the links are made
	links  []*link       // by lane; nil until they are made, and then immutable
	sought atomic.Bool   // other nodes are being asked where its partitions are
	asked  atomic.Int32  // how often it is being asked where partitions are

	version atomic.Uint64 // of the topology that it has told, or is being asked for; 0: none

	name string   // in its cluster, "" if that is not known; guarded by the topology's mu
	also []string // other addresses of it; guarded by the topology's mu
	told string   // the address that the cluster tells; guarded by the topology's mu
}

func newNode(addr string) *node {
	return &node{addr: addr, turn: make(chan struct{}, 1)}
}

// open makes the links to n, unless they are there. It tries once.
func (c *Client) open(ctx context.Context, n *node) error {
	select {
	case n.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-n.turn }()
	if n.links != nil {
		return nil
	}
	var links []*link
	for _, lane := range c.lanes {
		l := newLink(c, n, lane)
		if err := l.start(ctx); err != nil {
			closeLinks(links)
			return err
		}
		links = append(links, l)
	}
	if !c.topology.opened(n, links) {
		closeLinks(links)
		return space.ErrClosed
	}
	return nil
}

// stir wakes the calls that wait for links to n, and links that wait to be needed.
func (n *node) stir() {
	for _, l := range n.links {
		l.mu.Lock()
		l.life.stir()
		l.mu.Unlock()
	}
}

// awaitNeed waits until a partition is placed at the node of l, or the node is to be asked, and reports whether it did
// not have to wait. A link that is not needed is not made again: the node may be gone for good, or be known by another
// address, too.
func (l *link) awaitNeed(ctx context.Context) (atOnce bool, err error) {
	for atOnce = true; ; atOnce = false {
		l.mu.Lock()
		changed := l.life.changed
		l.mu.Unlock()
		if l.client.needs(l.node) || l.node.asked.Load() > 0 {
			return atOnce, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// needs reports whether a partition is placed at n.
func (c *Client) needs(n *node) bool {
	return slices.ContainsFunc(c.allParts(), func(s *part) bool { return s.place.Load().node == n })
}

// stagger is the time after which a further address is tried beside those that have not answered.
const stagger = 300 * time.Millisecond

// dial opens one of the given nodes, the first that answers, and returns it. It tries them in their order: the next one
// when one has failed, or has not answered for a while. Attempts that are under way end with the first that succeeds.
func (c *Client) dial(ctx context.Context, addrs []string) (*node, error) {
	var nodes []*node
	for _, addr := range addrs {
		nodes = append(nodes, c.topology.node(addr))
	}
	type attempt struct {
		of  int
		err error
	}
	ended, errs := make(chan attempt, len(nodes)), make([]error, len(nodes))
	var attempts sync.WaitGroup
	defer attempts.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next := time.NewTimer(0)
	defer next.Stop()
	for begun, running := 0, 0; ; {
		select {
		case <-next.C:
			i := begun
			attempts.Go(func() { ended <- attempt{i, c.open(ctx, nodes[i])} })
			running++
			if begun++; begun < len(nodes) {
				next.Reset(stagger)
			}
		case a := <-ended:
			running--
			if a.err == nil {
				return nodes[a.of], nil
			}
			errs[a.of] = fmt.Errorf("client: dial %s: %w", nodes[a.of].addr, advised(a.err))
			switch {
			case begun < len(nodes):
				next.Reset(0)
			case running == 0:
				return nil, errors.Join(errs...)
			}
		}
	}
}

// advised adds to the error of a connection that was refused what to do about it.
func advised(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w: no server listens there; `gospaces serve` starts one", err)
	}
	return err
}
