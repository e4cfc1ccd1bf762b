package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gospaces/gospaces/internal/budget"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/cluster"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/remote"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/txn"
	"github.com/gospaces/gospaces/writeback"
)

// fleet holds the replicas on a node of a cluster, some of which lead their partitions. It is the Host of a
// cluster.Member.
type fleet struct {
	cfg    *Config
	budget *budget.Budget
	store  *replication.Store
	member *cluster.Member
	server *server.Server // set before the member joins
	spans  *partition.Spans

	pool   *writeback.Pool // of the mirrors; nil without a database
	ctx    context.Context // for all replicas; ends with close
	cancel context.CancelFunc
	admin  context.Context // for the creation of spaces; ends when the node stops
	stop   context.CancelFunc
	beside sync.WaitGroup  // goroutines beside the replicas
	absent *partition.Host // stands for all spaces that do not exist

	fillings fillings   // spaces that are being restored through this node
	begun    backupHere // a backup that is about to be made

	unheard atomic.Pointer[map[string][]string] // by node, those that it has not heard for a while, as others have

	mu       sync.RWMutex
	replicas map[txn.Address]*hosted // guarded by mu
}

// openFleet opens the folder of a node and starts its part of the log. Join has to follow. It blocks until a majority
// of the nodes are there; waits is called with the reason when that changes.
func openFleet(ctx context.Context, cfg *Config, b *budget.Budget, waits func(why string)) (_ *fleet, err error) {
	f := &fleet{cfg: cfg, budget: b, replicas: map[txn.Address]*hosted{}}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.spans = partition.NewSpans(partition.Directory{Find: f.led, All: f.allLed, Far: f.far, Gone: f.gone}, cfg.Logger)
	f.admin, f.stop = context.WithCancel(f.ctx)
	f.beside.Go(func() { b.Watch(f.ctx) })
	if f.absent, err = partition.NewAbsent(b); err != nil {
		return nil, err
	}
	if cfg.Postgres != "" {
		if f.pool, err = writeback.NewPool(cfg.Postgres, 1); err != nil { // more once the other nodes are known
			return nil, errors.Join(err, f.shut())
		}
	}
	f.store, err = replication.Open(ctx, replication.Config{
		Dir: cfg.Data, Sync: cfg.Durability == ReplicatedSynced, MaxBytes: cfg.MaxLog, Logger: cfg.Logger,
		Cluster: cfg.Cluster.log(cfg.Durability), Waits: waits,
	})
	if err != nil {
		return nil, errors.Join(err, f.shut())
	}
	return f, nil
}

// join makes the node a member of its cluster, with an address for clients.
func (f *fleet) join(ctx context.Context, addr string) error {
	c := f.cfg.Cluster
	f.member = cluster.NewMember(cluster.Config{
		Store: f.store, Founders: c.founders(), Addr: cmp.Or(c.Advertise, c.reachable(addr)), Zone: c.Zone,
		Version: f.cfg.Version, Replicas: c.Replicas, Timing: c.timing(), Host: f, Logger: f.cfg.Logger,
		Scarce: f.budget.Scarce,
	})
	switch err := f.member.Join(ctx); {
	case errors.Is(err, replication.ErrStorage):
		return f.otherStorage()
	case err != nil:
		return err
	}
	f.beside.Go(f.endIfLost)
	f.beside.Go(f.announceSpaces)
	f.beside.Go(f.watchHealth)
	f.beside.Go(func() { f.spans.Watch(f.ctx) })
	f.beside.Go(func() { f.watchCrowds(f.ctx) })
	if f.pool != nil {
		f.beside.Go(f.shareConns)
	}
	return nil
}

// endIfLost ends the use of the logs at once if the node's name belongs to another folder.
func (f *fleet) endIfLost() {
	select {
	case <-f.member.Lost():
	case <-f.ctx.Done():
		return
	}
	f.cfg.Logger.Error("this node ends", "error", f.member.Err())
	if err := f.store.Close(); err != nil {
		f.cfg.Logger.Warn("the folder was not closed in good order", "error", err)
	}
}

// otherStorage says that the node would have its logs in files and the cluster has them in memory, or the other way
// round. What is acknowledged would not be as safe as the setting says.
func (f *fleet) otherStorage() error {
	made := "files, not in memory"
	if f.cfg.Durability != ReplicatedMemory {
		made = "memory (" + ReplicatedMemory + ")"
	}
	return wrong("Durability", "is %s, but this cluster was made with its logs in %s. That cannot be changed: backup "+
		"and restore move the spaces to a new cluster", f.cfg.Durability, made)
}

// announceSpaces makes clients that opened a space before it existed open it again.
func (f *fleet) announceSpaces() {
	known := map[string]string{}
	for {
		state, changed := f.member.State()
		for name, sp := range state.Spaces {
			if known[name] != sp.Incarnation {
				known[name] = sp.Incarnation
				f.server.Created(name)
			}
		}
		maps.DeleteFunc(known, func(name, _ string) bool { return state.Spaces[name] == nil })
		select {
		case <-changed:
		case <-f.ctx.Done():
			return
		}
	}
}

// gather is the pause after a message with many calls. A message costs three nodes about 0.4 ms of processor time in
// all, and the callers of the previous one need about this long to make their next calls.
const gather = 500 * time.Microsecond

// Open implements cluster.Host.
func (f *fleet) Open(ctx context.Context, at txn.Address, created uint64) (cluster.Replica, error) {
	log, err := f.store.Log(ctx, at.Space, int(at.Partition))
	if err != nil {
		return nil, err
	}
	logger := f.cfg.Logger.With("partition", at.String())
	s := &hosted{
		at: at, created: created, log: log, standby: true, waits: func() string { return f.waits(at) },
		guard: newGuard(f.cfg, log, logger),
	}
	s.ctx, s.cancel = context.WithCancel(f.ctx)
	cfg := partitionConfig(f.cfg, f.budget, at)
	cfg.Log, cfg.Standby, cfg.Logger = guardedLog{log, s.guard}, true, logger
	cfg.Lease, cfg.Patience = f.cfg.Cluster.timing().Lease, f.cfg.Cluster.timing().Wait
	state, _ := f.member.State()
	cfg.Origin = max(cfg.Origin, state.Highest)
	cfg.Gather, cfg.AuditEvery = gather, f.cfg.Cluster.AuditEvery
	cfg.Primary = func() *call.ElsewhereError { return f.elsewhere(at) }
	cfg.Time = remote.New(f.store.Conn(), at).Time
	cfg.Txns, cfg.Scattered = f.spans, true
	s.partition = partition.New(cfg)
	s.host = f.spans.Host(s.partition)
	if err := s.partition.Start(ctx, nil); err != nil {
		s.cancel()
		return nil, errors.Join(err, s.partition.Close())
	}
	s.snapshots = &snapshotter{
		cfg: f.cfg, partition: s.partition, log: log, needed: func() uint64 { return s.mirrorNeeds(f.cfg) }, logger: logger,
		follows: func() bool { return s.partition.Err() != nil },
	}
	f.mu.Lock()
	f.replicas[at] = s
	f.mu.Unlock()
	s.guard.watch(s.partition, nil)
	s.running.Go(func() { s.guard.run(s.ctx) })
	s.running.Go(func() { s.snapshots.run(s.ctx) })
	s.running.Go(func() { f.attend(at, s) })
	return replica{s}, nil
}

// Close implements cluster.Host.
func (f *fleet) Close(at txn.Address, ending cluster.Ending) {
	f.mu.Lock()
	s := f.replicas[at]
	delete(f.replicas, at)
	f.mu.Unlock()
	s.log.Close() // an append may wait for a majority
	s.partition.Quit(f.ended(at, ending))
	f.server.Replaced(s.host)
	s.stop()
	if ending == cluster.Stopped {
		return
	}
	if err := f.store.Forget(at.Space, int(at.Partition)); err != nil {
		f.cfg.Logger.Warn("what this node had of a partition was not removed", "partition", at.String(), "error", err)
	}
}

// ended returns the error with which calls end that still wait in a replica when it is closed.
func (f *fleet) ended(at txn.Address, ending cluster.Ending) error {
	switch ending {
	case cluster.Dropped:
		return fmt.Errorf("%w: space %q was dropped", call.ErrDropped, at.Space)
	case cluster.Moved: // it may have led until now: clients go on where another does
		return f.elsewhere(at)
	}
	return call.ErrClosed
}

// attend starts and ends what only a primary needs, as the replica becomes the primary and ceases to be that.
func (f *fleet) attend(at txn.Address, s *hosted) {
	leads := false
	var peer *remote.Served
	answer := func(yes bool) {
		if peer != nil {
			peer.Close()
			peer = nil
		}
		if yes {
			peer = f.answer(at, s)
		}
	}
	for {
		turned := s.partition.Turned()
		switch now := s.partition.Err() == nil; {
		case now && !leads:
			s.terms.Add(1)
			answer(true)
			f.lead(at, s)
			leads = true
		case !now && leads:
			answer(false)
			f.yield(s)
			leads = false
		}
		select {
		case <-turned:
		case <-s.ctx.Done():
			answer(false)
			f.yield(s)
			return
		}
	}
}

// elsewhere returns the other node that serves a partition, as an error; without an address if there is none.
func (f *fleet) elsewhere(at txn.Address) *call.ElsewhereError {
	e := &call.ElsewhereError{At: at}
	if place, ok := f.member.Sight().Served(at); ok && place.Node != f.cfg.Cluster.Node {
		e.Node, e.Epoch = place.Addr, call.Epoch{Created: place.Created, Claim: place.Epoch}
	}
	return e
}

// answer makes a partition that is led here answer other nodes. If that fails it returns nil, and other nodes wait.
func (f *fleet) answer(at txn.Address, s *hosted) *remote.Served {
	peer, err := remote.Serve(f.store.Conn(), at, s.host.Peer())
	if err != nil {
		f.cfg.Logger.Error("other nodes cannot ask for transactions", "partition", at.String(), "error", err)
	}
	return peer
}

// led returns a partition that this node leads, or nil.
func (f *fleet) led(at txn.Address) *partition.Partition {
	if s := f.at(at); s != nil && s.partition.Err() == nil {
		return s.partition
	}
	return nil
}

// allLed returns the addresses of the partitions that this node leads.
func (f *fleet) allLed() (at []txn.Address) {
	for a, s := range f.all() {
		if s.partition.Err() == nil {
			at = append(at, a)
		}
	}
	return at
}

// far returns a partition of the cluster as other nodes serve it; nil if there is no such space.
func (f *fleet) far(at txn.Address) partition.Peer {
	state, _ := f.member.State()
	if sp := state.Spaces[at.Space]; sp == nil || int(at.Partition) >= len(sp.Partitions) {
		return nil
	}
	return remote.New(f.store.Conn(), at)
}

// gone reports whether a space no longer exists in the cluster. This node's copy of the state may be old, so it asks.
func (f *fleet) gone(ctx context.Context, at txn.Address) bool {
	state, _ := f.member.State()
	if state.Spaces[at.Space] != nil {
		return false
	}
	state, err := f.member.Latest(ctx)
	return err == nil && state.Spaces[at.Space] == nil
}

// replica is a replica as its Keeper sees it.
type replica struct{ *hosted }

var _ cluster.Replica = replica{}

// Able implements cluster.Replica.
func (r replica) Able() error {
	switch role := r.partition.Role(); role {
	case follower:
		return r.log.Fit()
	case primary:
		return errors.New("it leads, and waits until a majority has its last message")
	default:
		return fmt.Errorf("its role is %s", role)
	}
}

func (r replica) Serving() (uint64, bool)        { return r.partition.Serving() }
func (r replica) Position() uint64               { return r.partition.Position() }
func (r replica) Primary() replication.Primary   { return r.log.Primary() }
func (r replica) Raft() replication.Raft         { return r.log.Raft() }
func (r replica) Lead(ctx context.Context) error { return r.partition.Lead(ctx) }
func (r replica) Nudge() error                   { return r.log.Nudge() }
func (r replica) Beat()                          { r.log.Beat() }
func (r replica) LeadHere() error                { return r.log.LeadHere() }

// Fit implements cluster.Replica.
func (r replica) Fit() error { return cmp.Or(r.log.Fit(), r.guard.fit()) }

// Verify implements cluster.Replica.
func (r replica) Verify(ctx context.Context) error { return r.partition.VerifyPrimary(ctx) }

// Resign implements cluster.Replica.
func (r replica) Resign(ctx context.Context, heir string) error {
	err := r.partition.Resign(ctx, heir)
	if err == nil {
		r.handed.Add(1)
	}
	return err
}

// at returns the replica of a partition on this node, or nil.
func (f *fleet) at(a txn.Address) *hosted {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.replicas[a]
}

// all returns the replicas on this node.
func (f *fleet) all() map[txn.Address]*hosted {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return maps.Clone(f.replicas)
}

// resign hands over what this node leads, until ctx ends.
func (f *fleet) resign(ctx context.Context) {
	f.stop()
	f.member.HandOver(ctx)
}

// close leaves the cluster.
func (f *fleet) close(ctx context.Context) error {
	f.spans.Close()
	f.fillings.close()
	f.begun.close()
	if f.member != nil {
		f.member.Leave()
	}
	return errors.Join(f.shut(), ctx.Err())
}

// shut ends everything but the membership.
func (f *fleet) shut() error {
	f.cancel()
	f.beside.Wait()
	errs := []error{f.absent.Close()}
	if f.pool != nil {
		f.pool.Close()
	}
	if f.store != nil {
		errs = append(errs, f.store.Close())
	}
	return errors.Join(errs...)
}

// afloat is a node of a cluster as its server sees it.
type afloat struct{ *Node }

var (
	_ server.Spaces    = afloat{}
	_ server.Snapshots = afloat{}
	_ server.Backups   = afloat{}
)

// Lookup implements server.Spaces.
func (b afloat) Lookup(at txn.Address) (server.Place, error) {
	f := b.fleet
	if err := validName(at.Space); err != nil {
		return server.Place{}, err
	}
	state, _ := f.member.State()
	sp := state.Spaces[at.Space]
	if s := f.at(at); s != nil && s.partition.Err() == nil {
		p := server.Place{Host: s.host, Incarnation: s.log.Incarnation(), Partitions: 1}
		if sp != nil {
			p.Partitions = len(sp.Partitions)
		}
		return p, nil
	}
	switch {
	case sp == nil || sp.Phase == cluster.Removing:
		return server.Place{Host: f.absent}, nil
	case int(at.Partition) >= len(sp.Partitions):
		return server.Place{Host: f.absent, Partitions: len(sp.Partitions)}, nil
	}
	if sp.Unfinished() {
		return server.Place{}, unfinished(at.Space)
	}
	if e := f.elsewhere(at); e.Node != "" {
		return server.Place{}, e
	}
	return server.Place{}, fmt.Errorf("%w: no node serves partition %v at present", call.ErrNotReady, at)
}

// unfinished returns the error for calls on a space that is being filled.
func unfinished(space string) error {
	return fmt.Errorf("%w: space %q: %s", call.ErrNotReady, space, whyUnfinished)
}

// whyUnfinished is why a space that is being filled is not served.
const whyUnfinished = "it is being restored or loaded, and is served when that has ended; if it was interrupted, " +
	"repeat the command"

// createTimeout is how long a new space may take, if a majority of nodes can be reached.
const createTimeout = 30 * time.Second

// Create implements server.Spaces.
func (b afloat) Create(name string, shape call.Shape) error {
	f := b.fleet
	if err := cmp.Or(validName(name), validShape(shape)); err != nil {
		return err
	}
	if err := f.reserved(name); err != nil {
		return err
	}
	state, _ := f.member.State()
	sp := state.Spaces[name]
	switch have := len(state.Spaces); {
	case sp != nil && sp.Unfinished():
		return unfinished(name)
	case sp != nil && sp.Phase != cluster.Removing:
		if err := hasShape(name, sp, shape); err != nil {
			return err
		}
	case have >= f.cfg.Limits.Spaces:
		return fmt.Errorf("%w: there are %d spaces, as many as --max-spaces allows", call.ErrSpaceFull, have)
	case f.budget.Scarce():
		return f.budget.Refuse(call.ErrSpaceFull)
	}
	ctx, cancel := context.WithTimeout(f.admin, createTimeout)
	defer cancel()
	replicas := cmp.Or(int(shape.Replicas), f.cfg.Cluster.Replicas)
	_, err := f.member.CreateSpace(ctx, name, max(int(shape.Partitions), 1), replicas)
	switch {
	case errors.Is(err, cluster.ErrFewNodes):
		return fmt.Errorf("%w: make space %q: %w", call.ErrInvalidArgument, name, err)
	case err != nil && f.admin.Err() != nil:
		return fmt.Errorf("%w: this node is stopping", call.ErrNotReady)
	case err != nil:
		return fmt.Errorf("%w: make space %q: %w", call.ErrUnavailable, name, err)
	}
	return nil
}

// hasShape returns call.ErrInvalidArgument for a space that has another shape than was asked for.
func hasShape(name string, sp *cluster.Space, asked call.Shape) error {
	if err := hasPartitions(name, len(sp.Partitions), int(asked.Partitions)); err != nil {
		return err
	}
	if have := sp.Partitions[0].Replicas(); asked.Replicas != 0 && int(asked.Replicas) != have {
		return fmt.Errorf("%w: space %q is there, and has %d replicas, not %d", call.ErrInvalidArgument, name, have,
			asked.Replicas)
	}
	return nil
}

// Drop implements server.Spaces.
func (b afloat) Drop(ctx context.Context, name string, tables bool) ([]server.Host, error) {
	f := b.fleet
	state, _ := f.member.State()
	sp := state.Spaces[name]
	switch {
	case name == defaultSpace && (sp == nil || !sp.Unfinished()):
		return nil, fmt.Errorf("%w: space %q cannot be dropped: programs that name no space use it",
			call.ErrInvalidArgument, name)
	case tables && f.pool == nil:
		return nil, fmt.Errorf("%w: this cluster mirrors to no database: there are no tables to drop",
			call.ErrInvalidArgument)
	}
	highest, err := f.retire(ctx, name, sp)
	if err == nil {
		err = f.member.DropSpace(ctx, name, highest)
	}
	switch {
	case errors.Is(err, call.ErrInvalidArgument):
		return nil, err
	case errors.Is(err, cluster.ErrNoSpace):
		return nil, noSpace(name)
	case err != nil:
		return nil, fmt.Errorf("%w: drop space %q: %w", call.ErrUnavailable, name, err)
	case !tables:
		return nil, nil
	}
	if err := writeback.Drop(ctx, f.cfg.Postgres, name); err != nil && !errors.Is(err, writeback.ErrNoMirror) {
		return nil, fmt.Errorf("%w: space %q is dropped, and its tables are not; do it again: %w", call.ErrUnavailable, name,
			err)
	}
	return nil, nil
}

// Names implements server.Spaces.
func (b afloat) Names() (names []string) {
	state, _ := b.fleet.member.State()
	for name, sp := range state.Spaces {
		if sp.Phase != cluster.Removing {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Snapshot implements server.Snapshots.
func (b afloat) Snapshot(ctx context.Context, at txn.Address) (uint64, error) {
	if _, err := b.Lookup(at); err != nil {
		return 0, err
	}
	s := b.fleet.at(at)
	if s == nil {
		return 0, fmt.Errorf("%w: there is no space %q", call.ErrInvalidArgument, at.Space)
	}
	return s.snapshots.take(ctx)
}
