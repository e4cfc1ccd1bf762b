package space

import (
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/txn"
)

// Group is spaces in this process that share transactions: what is done under one in several of them takes effect in all or in
// none. Its methods may be called concurrently.
type Group struct {
	cfg   Config
	spans *partition.Spans

	mu     sync.RWMutex
	spaces map[string]*Local // guarded by mu
	closed bool              // guarded by mu
}

// NewGroup returns a group without spaces. cfg holds for each space of it; Config.Name is not used. The caller closes the group.
func NewGroup(cfg Config) *Group {
	g := &Group{cfg: cfg, spaces: map[string]*Local{}}
	g.spans = partition.NewSpans(partition.Directory{Find: g.partition, All: g.addresses}, cfg.Logger)
	return g
}

// Space returns the space of that name, which is made when it is asked for the first time, with its codecs. In a group that is closed it is closed, too.
func (g *Group) Space(name string) *Local {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.spaces[name]
	if s == nil {
		cfg := g.cfg
		cfg.Name = name
		s = newLocal(cfg, g)
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
	g.spans.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	var errs []error
	for _, s := range g.spaces {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// lookup returns the named space, or nil if nobody has asked for it yet.
func (g *Group) lookup(name string) *Local {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.spaces[name]
}

// partition returns the partition at an address, or nil. A space in process has only one.
func (g *Group) partition(a txn.Address) *partition.Partition {
	if s := g.lookup(a.Space); s != nil && a.Partition == 0 {
		return s.partition
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
