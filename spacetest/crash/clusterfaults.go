//go:build linux

package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// clusterTargets returns what disturbs a cluster, beside its clients and the database.
func (c *campaign) clusterTargets() []*target {
	nodes := &target{name: "nodes", rest: 5 * time.Second, disturbs: []disturbance{
		{6, "kill -9", c.killNode(0)},
		{3, "kill -9 and an outage", c.killNode(4 * time.Second)},
		{2, "kill -9 twice, the second time while it starts", c.killStartingNode},
		{4, "stop in good order", c.stopNode},
		{4, "stop and continue soon", c.pauseNode(200*time.Millisecond, time.Second)},
		{3, "stop and continue late", c.pauseNode(3*time.Second, 10*time.Second)},
		{2, "kill -9 while another is stopped", c.killBesideStopped},
		{1, "kill -9 of two", c.killTwo},
		{1, "kill -9 of all", c.killNodes},
		{2, "an empty folder", c.emptyNode},
	}}
	if len(c.cluster.disks) > 0 {
		nodes.disturbs = append(nodes.disturbs, disturbance{2, "a full disk, and a restart", c.fillNode})
	}
	operator := &target{name: "operator", rest: 6 * time.Second, disturbs: []disturbance{
		{4, "a partition is led by another node", c.movePrimary},
		{1, "a node leads nothing for a while", c.drainPrimaries},
	}}
	if len(c.cluster.nodes) > replicasOfEach {
		operator.disturbs = append(operator.disturbs, disturbance{4, "a partition moves", c.moveReplicas})
	}
	targets := []*target{nodes, operator}
	if c.cluster.network != nil {
		targets = append(targets, &target{name: "network", rest: 6 * time.Second, disturbs: []disturbance{
			{3, "a node is cut off", c.cutNode},
			{3, "a node is cut off from the others, and not from clients", c.isolateNode},
			{2, "a node is not heard by the others", c.muteNode},
			{2, "a node does not hear the others", c.deafenNode},
			{2, "two nodes are cut off from each other", c.partNodes},
			{2, "a link comes and goes", c.flapNode},
			{1, "a slow link", c.slowNode},
		}})
	}
	return targets
}

// node returns a random node.
func (c *campaign) node(rng *rand.Rand) *server {
	return c.cluster.nodes[rng.IntN(len(c.cluster.nodes))]
}

// pair returns the indexes of two nodes.
func (c *campaign) pair(rng *rand.Rand) (i, j int) {
	order := rng.Perm(len(c.cluster.nodes))
	return order[0], order[1]
}

// startNodes starts nodes again, even if the round ends meanwhile.
func (c *campaign) startNodes(ctx context.Context, nodes ...*server) error {
	return c.cluster.start(context.WithoutCancel(ctx), nodes...)
}

func (c *campaign) killNode(outage time.Duration) func(context.Context, *rand.Rand) error {
	return func(ctx context.Context, rng *rand.Rand) error {
		n, after := c.node(rng), upTo(rng, outage+1)
		if err := n.kill(); err != nil {
			return err
		}
		pause(ctx, after)
		return c.startNodes(ctx, n)
	}
}

func (c *campaign) killStartingNode(ctx context.Context, rng *rand.Rand) error {
	n, after := c.node(rng), upTo(rng, time.Second)
	if err := n.kill(); err != nil {
		return err
	}
	if err := n.halfStart(ctx, after); err != nil {
		return err
	}
	return c.startNodes(ctx, n)
}

func (c *campaign) stopNode(ctx context.Context, rng *rand.Rand) error {
	n := c.node(rng)
	if err := n.stop(); err != nil {
		return err
	}
	return c.startNodes(ctx, n)
}

// pauseNode stops a node for a random time between two bounds.
func (c *campaign) pauseNode(least, most time.Duration) func(context.Context, *rand.Rand) error {
	return func(ctx context.Context, rng *rand.Rand) error {
		n, d := c.node(rng), least+upTo(rng, most-least)
		return pauseChild(ctx, n.run, d)
	}
}

func (c *campaign) killBesideStopped(ctx context.Context, rng *rand.Rand) error {
	i, j := c.pair(rng)
	killed, stopped, d := c.cluster.nodes[i], c.cluster.nodes[j], upTo(rng, 3*time.Second)
	if err := stopped.run.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	err := killed.kill()
	pause(ctx, d)
	return errors.Join(err, stopped.run.signal(syscall.SIGCONT), c.startNodes(ctx, killed))
}

func (c *campaign) killTwo(ctx context.Context, rng *rand.Rand) error {
	i, j := c.pair(rng)
	two, d := []*server{c.cluster.nodes[i], c.cluster.nodes[j]}, upTo(rng, 2*time.Second)
	if err := atOnce(two, (*server).kill); err != nil {
		return err
	}
	pause(ctx, d)
	return c.startNodes(ctx, two...)
}

func (c *campaign) killNodes(ctx context.Context, _ *rand.Rand) error {
	return c.cluster.killAll(context.WithoutCancel(ctx))
}

// emptyNode removes the folder of a node once the others have all of it, and waits until the node has it again: only
// one disk may be lost at a time.
func (c *campaign) emptyNode(ctx context.Context, rng *rand.Rand) error {
	n := c.node(rng)
	c.cluster.placing.Lock()
	defer c.cluster.placing.Unlock()
	if c.awaitWhole(ctx) != nil {
		return nil // the round has ended, or the network is cut
	}
	if err := n.stop(); err != nil {
		return err
	}
	if err := os.RemoveAll(n.data); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if err := c.startNodes(ctx, n); err != nil {
		return err
	}
	return c.awaitWhole(ctx)
}

// fillNode fills the disk of a node for a while, and then restarts the node, which its log needs if it has met the full
// disk.
func (c *campaign) fillNode(ctx context.Context, rng *rand.Rand) error {
	i := rng.IntN(len(c.cluster.disks))
	n, d, rest := c.cluster.nodes[i], c.cluster.disks[i], int64(rng.IntN(2))*60<<20
	if err := c.fill(d, rest)(ctx, rng); err != nil {
		return err
	}
	if err := n.stop(); err != nil {
		return err
	}
	return c.startNodes(ctx, n)
}

// move moves a random partition to some nodes, the first of which is to lead it; members chooses them. It does not wait
// for the end: the next move may begin while this one is under way.
func (c *campaign) move(ctx context.Context, rng *rand.Rand, members func(has []string) []string) error {
	st, err := statusOf(ctx, c.node(rng))
	if err != nil || len(st.Partitions) == 0 {
		return nil // it is down
	}
	p := st.Partitions[rng.IntN(len(st.Partitions))]
	var has []string
	for _, r := range p.Replicas {
		has = append(has, r.Node)
	}
	rng.Shuffle(len(has), func(i, j int) { has[i], has[j] = has[j], has[i] })
	c.cluster.placing.Lock()
	defer c.cluster.placing.Unlock()
	_ = c.command(ctx, "cluster", "move", fmt.Sprintf("%s/%d", p.Space, p.Partition), "--wait=false",
		"--to", strings.Join(members(has), ",")).Run() // it fails without a majority, or while the partition is moved
	return nil
}

func (c *campaign) movePrimary(ctx context.Context, rng *rand.Rand) error {
	return c.move(ctx, rng, func(has []string) []string { return has })
}

func (c *campaign) moveReplicas(ctx context.Context, rng *rand.Rand) error {
	return c.move(ctx, rng, func(has []string) []string {
		for i := range c.cluster.nodes {
			if name := nodeName(i); !slices.Contains(has, name) {
				return append([]string{name}, has[:replicasOfEach-1]...)
			}
		}
		return has
	})
}

// drainPrimaries has a node lead nothing for a while.
func (c *campaign) drainPrimaries(ctx context.Context, rng *rand.Rand) error {
	name, d := nodeName(rng.IntN(len(c.cluster.nodes))), upTo(rng, 4*time.Second)
	c.cluster.placing.Lock()
	defer c.cluster.placing.Unlock()
	_ = c.command(ctx, "cluster", "drain", name, "--primaries", "--wait=false").Run()
	pause(ctx, d)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	for {
		out, err := c.command(ctx, "cluster", "drain", name, "--undo").CombinedOutput()
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, context.Cause(ctx), unlessEmpty(out))
		}
		pause(ctx, 100*time.Millisecond)
	}
}

// unlessEmpty returns what a command has said as an error.
func unlessEmpty(out []byte) error {
	if len(out) == 0 {
		return nil
	}
	return fmt.Errorf("%s", out)
}

// fault has a fault begin, and end after a random time.
func (c *campaign) fault(ctx context.Context, rng *rand.Rand, most time.Duration, begin, end func() error) error {
	d := 200*time.Millisecond + upTo(rng, most)
	err := begin()
	pause(ctx, d)
	return errors.Join(err, end())
}

func (c *campaign) cutNode(ctx context.Context, rng *rand.Rand) error {
	i, net := rng.IntN(len(c.cluster.nodes)), c.cluster.network
	return c.fault(ctx, rng, 6*time.Second, func() error { return net.cut(i) }, func() error { return net.heal(i) })
}

func (c *campaign) isolateNode(ctx context.Context, rng *rand.Rand) error {
	i, net := rng.IntN(len(c.cluster.nodes)), c.cluster.network
	return c.fault(ctx, rng, 6*time.Second,
		func() error {
			return c.others(i, func(j int) error { return errors.Join(net.mute(i, j), net.mute(j, i)) })
		},
		func() error {
			return c.others(i, func(j int) error { return errors.Join(net.unmute(i, j), net.unmute(j, i)) })
		})
}

func (c *campaign) muteNode(ctx context.Context, rng *rand.Rand) error {
	i, net := rng.IntN(len(c.cluster.nodes)), c.cluster.network
	return c.fault(ctx, rng, 6*time.Second,
		func() error { return c.others(i, func(j int) error { return net.mute(i, j) }) },
		func() error { return c.others(i, func(j int) error { return net.unmute(i, j) }) })
}

func (c *campaign) deafenNode(ctx context.Context, rng *rand.Rand) error {
	i, net := rng.IntN(len(c.cluster.nodes)), c.cluster.network
	return c.fault(ctx, rng, 6*time.Second,
		func() error { return c.others(i, func(j int) error { return net.mute(j, i) }) },
		func() error { return c.others(i, func(j int) error { return net.unmute(j, i) }) })
}

func (c *campaign) others(i int, fn func(j int) error) error {
	var errs []error
	for j := range c.cluster.nodes {
		if j != i {
			errs = append(errs, fn(j))
		}
	}
	return errors.Join(errs...)
}

func (c *campaign) partNodes(ctx context.Context, rng *rand.Rand) error {
	i, j := c.pair(rng)
	net := c.cluster.network
	return c.fault(ctx, rng, 6*time.Second,
		func() error { return errors.Join(net.mute(i, j), net.mute(j, i)) },
		func() error { return errors.Join(net.unmute(i, j), net.unmute(j, i)) })
}

func (c *campaign) flapNode(ctx context.Context, rng *rand.Rand) error {
	i, net := rng.IntN(len(c.cluster.nodes)), c.cluster.network
	for range 3 + rng.IntN(6) {
		off, on := 50*time.Millisecond+upTo(rng, 500*time.Millisecond), 50*time.Millisecond+upTo(rng, 500*time.Millisecond)
		err := net.cut(i)
		pause(ctx, off)
		if err := errors.Join(err, net.heal(i)); err != nil {
			return err
		}
		pause(ctx, on)
	}
	return nil
}

func (c *campaign) slowNode(ctx context.Context, rng *rand.Rand) error {
	i, net := rng.IntN(len(c.cluster.nodes)), c.cluster.network
	return c.fault(ctx, rng, 5*time.Second, func() error { return net.slow(i) }, func() error { return net.hasten(i) })
}
