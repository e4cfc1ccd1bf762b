package memory

import (
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/gospaces/gospaces/internal/local"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// Group is spaces that share transactions: what is done under one in several of them takes effect in all or in none.
// Its methods may be called concurrently.
type Group struct {
	cfg    Config
	shared local.Group

	mu     sync.RWMutex
	spaces map[string]*local.Space // guarded by mu
	closed bool                    // guarded by mu
}

// NewGroup returns a group without spaces. cfg holds for each space of it; Config.Name is not used. The caller closes
// the group.
func NewGroup(cfg Config) *Group {
	g := &Group{cfg: cfg, spaces: map[string]*local.Space{}}
	g.shared = local.Group{
		Spans: partition.NewSpans(partition.Directory{Find: g.partition, All: g.addresses}, cfg.Logger),
		Home:  g.lookup,
	}
	return g
}

// Space returns the space of that name, which is made when it is asked for the first time. In a group that is closed it
// is closed, too.
func (g *Group) Space(name string) space.Space {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.spaces[name]
	if s == nil {
		s = start(g.cfg, name, &g.shared)
		g.spaces[name] = s
		if g.closed {
			_ = s.Close() // it has nothing that could fail
		}
	}
	return s
}

// Names returns the names of the spaces, sorted.
func (g *Group) Names() []string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return slices.Sorted(maps.Keys(g.spaces))
}

// Close closes all spaces of the group. It is idempotent.
func (g *Group) Close() error {
	g.shared.Spans.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	var errs []error
	for _, s := range g.spaces {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// lookup returns the named space, or nil if it was not asked for yet.
func (g *Group) lookup(name string) *local.Space {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.spaces[name]
}

// partition returns the partition at an address, or nil. A space in process has only one.
func (g *Group) partition(a txn.Address) *partition.Partition {
	if s := g.lookup(a.Space); s != nil && a.Partition == 0 {
		return s.Partition()
	}
	return nil
}

// addresses returns those of all partitions.
func (g *Group) addresses() (as []txn.Address) {
	for _, name := range g.Names() {
		as = append(as, txn.Address{Space: name})
	}
	return as
}
