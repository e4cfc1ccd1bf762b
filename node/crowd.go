package node

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/cluster"
)

// A node holds the entries of each replica that it has, and cannot refuse what the log says. So the primary of a
// partition refuses to store more while the memory of any node is scarce that has a replica.

// watchCrowds tells the replicas on this node whether others have room, until ctx ends. Those that follow are told,
// too: they may be the primary the next moment.
func (f *fleet) watchCrowds(ctx context.Context) {
	t := time.NewTicker(f.cfg.Cluster.timing().Beat)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			state, _ := f.member.State()
			for at, s := range f.all() {
				var err error
				if sp := state.Spaces[at.Space]; sp != nil && int(at.Partition) < len(sp.Partitions) {
					err = f.crowded(sp.Partitions[at.Partition])
				}
				s.partition.Crowd(err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// crowded returns the error of calls that would store more in a partition, if the memory of another node is scarce.
func (f *fleet) crowded(p cluster.Partition) error {
	nodes := p.Ranked()
	i := slices.IndexFunc(nodes, func(node string) bool {
		return node != f.cfg.Cluster.Node && f.member.Sight().Scarce(node)
	})
	if i < 0 {
		return nil
	}
	return fmt.Errorf("%w: node %q, which has a copy, uses nearly all the memory that its --max-memory allows; "+
		"take or cancel entries, or allow more", call.ErrSpaceFull, nodes[i])
}
