package main

import (
	"context"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
)

// failover kills the node that serves the space when three quarters of the files are read, and says for how long
// clients waited.
func (d *demo) failover(s servers, sp space.Space, run Run) error {
	ctx, jobs := d.family.ctx, FileJob{Run: run.ID}
	if err := leaves(ctx, sp, jobs, run.Files/4); err != nil {
		return err
	}
	leader, err := primary(ctx, s, nil)
	if err != nil {
		return err
	}
	say(fmt.Sprintf("kill -9 %d: three quarters of the files are read, and this is node %s, which serves the space",
		leader.pid, leader.name))
	killed := time.Now()
	leader.kill()
	left, err := space.Count(ctx, sp, jobs) // waits until another node answers
	if err != nil {
		return err
	}
	waited := time.Since(killed)
	heir, err := primary(ctx, s, leader)
	if err != nil {
		return err
	}
	say(fmt.Sprintf("Node %s serves the space now. Clients waited for %d ms; %d of %d files are left.", heir.name,
		waited.Milliseconds(), left, run.Files))
	d.show(s)
	return nil
}

// primary returns the node that serves the default space, as the first node says that answers; not dead, of which the
// others may not know yet.
func primary(ctx context.Context, s servers, dead *server) (*server, error) {
	n, err := client.DialNode(ctx, client.Config{Addr: s.addrs()})
	if err != nil {
		return nil, err
	}
	defer n.Close()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		t, err := n.Topology(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range t.Places {
			if server := s.named(p.Node); p.Space == "default" && server != nil && server != dead {
				return server, nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
