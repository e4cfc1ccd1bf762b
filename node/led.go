package node

import (
	"context"

	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/txn"
	"github.com/gospaces/gospaces/writeback"
)

// led is the log of a partition that this node leads, as the mirror reads it. Another node may lead the partition by
// now.
type led struct {
	mirrored
	partition *partition.Partition
}

var _ writeback.Verifier = led{}

// Verify implements writeback.Verifier.
func (l led) Verify(ctx context.Context) error { return l.partition.VerifyPrimary(ctx) }

// lead starts what only the primary of a partition does: it writes the mirror.
func (f *fleet) lead(at txn.Address, s *hosted) {
	if f.pool == nil {
		return
	}
	logger := f.cfg.Logger.With("partition", at.String())
	mirror, err := writeback.New(led{mirrored{s.log, s.snapshots}, s.partition}, writeback.Config{
		Pool: f.pool, Space: at.Space, Partition: int(at.Partition), Partitions: f.partitions(at.Space),
		Modes: f.cfg.Mirror, Lanes: f.cfg.Lanes, Logger: logger,
	})
	if err != nil {
		logger.Error("the mirror cannot be written", "error", err)
		return
	}
	s.mirrorMu.Lock()
	defer s.mirrorMu.Unlock()
	ctx, cancel := context.WithCancel(s.ctx)
	s.mirror, s.endMirror = mirror, cancel
	s.mirroring.Go(func() {
		if err := mirror.Run(ctx); err != nil && ctx.Err() == nil {
			logger.Error("the mirror has stopped; the space goes on", "error", err)
		}
	})
	if f.cfg.MirrorFull != Rebase {
		s.guard.watch(s.partition, mirror)
	}
}

// yield ends what only the primary does, and makes clients look for the new one.
func (f *fleet) yield(s *hosted) {
	f.server.Replaced(s.host)
	s.guard.watch(s.partition, nil)
	s.mirrorMu.Lock()
	end := s.endMirror
	s.mirror, s.endMirror = nil, nil
	s.mirrorMu.Unlock()
	if end != nil {
		end()
		s.mirroring.Wait()
	}
}

// partitions returns the number of partitions of a space.
func (f *fleet) partitions(space string) int {
	state, _ := f.member.State()
	if sp := state.Spaces[space]; sp != nil {
		return len(sp.Partitions)
	}
	return 1
}

// shareConns sets this node's share of the connections to the database. The connections of a cluster are divided among
// the nodes that it knows, by name.
func (f *fleet) shareConns() {
	for {
		state, changed := f.member.State()
		rank := 0
		for name := range state.Nodes {
			if name < f.cfg.Cluster.Node {
				rank++
			}
		}
		f.pool.Resize(connShare(f.cfg.Conns, len(state.Nodes), rank))
		select {
		case <-changed:
		case <-f.ctx.Done():
			return
		}
	}
}

// connShare returns the number of connections for the node with a rank, from 0, among nodes. Each node has at least
// one.
func connShare(conns, nodes, rank int) int {
	if nodes == 0 {
		return 1
	}
	share := conns / nodes
	if rank < conns%nodes {
		share++
	}
	return max(share, 1)
}
