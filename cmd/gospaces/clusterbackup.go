package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
)

// snapshots are the parts of a backup, wherever they are.
type snapshots interface {
	Parts() []client.BackupPart
	Fetch(ctx context.Context, part client.BackupPart, to func(size int64) (io.Writer, error)) error
	Close(ctx context.Context) error
}

// takeBackup has a backup taken: of the server, or of all nodes of its cluster.
func (a *app) takeBackup(ctx context.Context, c *client.NodeClient) (snapshots, error) {
	t, err := c.Topology(ctx)
	if err != nil {
		return nil, err
	}
	if len(t.Nodes) == 0 {
		return c.Backup(ctx)
	}
	for end := time.Now().Add(handOvers); ; {
		taken, err := a.takeFromNodes(ctx)
		if err == nil {
			return taken, nil
		}
		if !errors.Is(err, errLeadsMoved) || time.Now().After(end) {
			return nil, err
		}
		select {
		case <-time.After(handOvers / 100):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// topology returns what clients are told of the cluster by the node at --addr.
func (a *app) topology(ctx context.Context) (t *client.Topology, err error) {
	err = a.withNode(ctx, func(n *client.NodeClient) (err error) { t, err = n.Topology(ctx); return err })
	return t, err
}

// handOvers is how long a backup is begun again while partitions get other primaries.
const handOvers = 20 * time.Second

var errLeadsMoved = errors.New("partitions are being handed over between nodes, or are not served; try again")

// nodeBackups is a backup of a cluster: those of its nodes.
type nodeBackups struct {
	id    string
	nodes []*client.NodeClient
	taken []*client.Backup // by node
	parts []client.BackupPart
	from  []*client.Backup // by part
}

func (a *app) takeFromNodes(ctx context.Context) (_ *nodeBackups, err error) {
	b := &nodeBackups{id: rand.Text()}
	defer func() {
		if err != nil {
			after := context.WithoutCancel(ctx)
			_ = b.step(after, node.AbandonBackup) // otherwise the nodes give it up after a while
			err = errors.Join(err, b.Close(after))
		}
	}()
	t, err := a.connectAll(ctx, b)
	if err != nil {
		return nil, err
	}
	b.taken = make([]*client.Backup, len(b.nodes))
	err = b.steps(ctx)
	if err == nil {
		err = b.each(func(i int, n *client.NodeClient) (err error) { b.taken[i], err = n.Backup(ctx); return err })
	}
	if err != nil {
		return nil, err
	}
	return b, b.collect(t)
}

// connectAll connects to the nodes that lead anything, and returns what they lead.
func (a *app) connectAll(ctx context.Context, b *nodeBackups) (*client.Topology, error) {
	t, err := a.topology(ctx)
	if err != nil {
		return nil, err
	}
	leads := map[string]bool{}
	for _, p := range t.Places {
		if p.Node == "" {
			return nil, fmt.Errorf("%w (partition %d of space %q)", errLeadsMoved, p.Partition, p.Space)
		}
		leads[p.Node] = true
	}
	for _, n := range t.Nodes {
		if !leads[n.Name] {
			continue
		}
		cfg := a.clientConfig()
		cfg.Addr = n.Addr
		c, err := client.DialNode(ctx, cfg)
		if err != nil {
			return nil, fmt.Errorf("node %s: %w", n.Name, a.dialError(err))
		}
		b.nodes = append(b.nodes, c)
	}
	return t, nil
}

// steps has all nodes begin their images while no transaction over several partitions is decided.
func (b *nodeBackups) steps(ctx context.Context) error {
	for _, step := range []node.BackupStep{node.HoldCommits, node.BeginImages, node.ReleaseCommits} {
		if err := b.step(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

func (b *nodeBackups) step(ctx context.Context, step node.BackupStep) error {
	request, err := json.Marshal(&node.ManageRequest{Backup: &node.BackupRequest{ID: b.id, Step: step}})
	if err != nil {
		return err
	}
	return b.each(func(_ int, n *client.NodeClient) error { _, err := n.Manage(ctx, request); return err })
}

// each calls fn for all nodes concurrently.
func (b *nodeBackups) each(fn func(i int, n *client.NodeClient) error) error {
	errs := make([]error, len(b.nodes))
	var all sync.WaitGroup
	for i, n := range b.nodes {
		all.Go(func() { errs[i] = fn(i, n) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// collect lists the parts, by space and partition. It returns errLeadsMoved if there is not one of each partition.
func (b *nodeBackups) collect(t *client.Topology) error {
	type found struct {
		part client.BackupPart
		from *client.Backup
	}
	var all []found
	for _, taken := range b.taken {
		for _, p := range taken.Parts() {
			all = append(all, found{p, taken})
		}
	}
	slices.SortFunc(all, func(x, y found) int {
		return cmp.Or(cmp.Compare(x.part.Space, y.part.Space), cmp.Compare(x.part.Partition, y.part.Partition))
	})
	want := slices.Clone(t.Places)
	slices.SortFunc(want, func(x, y client.TopologyPlace) int {
		return cmp.Or(cmp.Compare(x.Space, y.Space), cmp.Compare(x.Partition, y.Partition))
	})
	same := slices.EqualFunc(all, want, func(f found, p client.TopologyPlace) bool {
		return f.part.Space == p.Space && f.part.Partition == p.Partition
	})
	if !same {
		return errLeadsMoved
	}
	for _, f := range all {
		b.parts, b.from = append(b.parts, f.part), append(b.from, f.from)
	}
	return nil
}

// Parts implements snapshots.
func (b *nodeBackups) Parts() []client.BackupPart { return b.parts }

// Fetch implements snapshots.
func (b *nodeBackups) Fetch(
	ctx context.Context, part client.BackupPart, to func(size int64) (io.Writer, error),
) error {
	return b.from[slices.Index(b.parts, part)].Fetch(ctx, part, to)
}

// Close implements snapshots.
func (b *nodeBackups) Close(ctx context.Context) error {
	var errs []error
	for _, taken := range b.taken {
		if taken != nil {
			errs = append(errs, taken.Close(ctx))
		}
	}
	for _, n := range b.nodes {
		errs = append(errs, n.Close())
	}
	return errors.Join(errs...)
}
