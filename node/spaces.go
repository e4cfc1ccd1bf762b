package node

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/gospaces/gospaces/internal/budget"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/local"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/txn"
	"github.com/gospaces/gospaces/writeback"
)

// spaces are the named spaces of a node.
type spaces struct {
	cfg    *Config
	budget *budget.Budget
	store  *replication.Store // nil with Memory

	pool     *writeback.Pool // of the mirrors; nil without a database
	ctx      context.Context // for all spaces; ends with close
	cancel   context.CancelFunc
	watching sync.WaitGroup // the budget

	shared local.Group     // what transactions over several spaces need
	absent *partition.Host // stands for all spaces that do not exist

	mu     sync.Mutex // held while a space is opened or dropped
	closed bool       // guarded by mu

	tableMu  sync.RWMutex       // never held for long; taken after mu
	byName   map[string]*hosted // guarded by tableMu
	refused  map[string]error   // guarded by tableMu; spaces that are not served, and why
	complete bool               // guarded by tableMu; every space in the folder is in one of these
}

// hosted is one space: partition 0, the only one for now, with its log and its mirror.
type hosted struct {
	partition   *partition.Partition
	host        *partition.Host // of the partition: what the server asks
	space       *local.Space    // for this process
	incarnation string
	log         *replication.Log  // nil with Memory
	mirror      *writeback.Writer // nil without a database
	guard       *guard            // nil with Memory
	snapshots   *snapshotter      // nil with Memory

	ctx     context.Context // for the mirror, the guard and the snapshots; ends with the space
	cancel  context.CancelFunc
	running sync.WaitGroup // the goroutines of these

	// In a cluster the mirror is written only where the partition is led.
	mirrorMu  sync.Mutex // guards mirror in a cluster
	endMirror context.CancelFunc
	mirroring sync.WaitGroup
}

// defaultSpace exists from the start.
const defaultSpace = "default"

// openSpaces opens all spaces in the folder.
func openSpaces(ctx context.Context, cfg *Config, b *budget.Budget, up *startup) (*spaces, error) {
	ss := &spaces{cfg: cfg, budget: b, byName: map[string]*hosted{}, refused: map[string]error{}}
	ss.ctx, ss.cancel = context.WithCancel(context.Background())
	ss.watching.Go(func() { b.Watch(ss.ctx) })
	ss.shared = local.Group{
		Spans: partition.NewSpans(partition.Directory{Find: ss.partition, All: ss.addresses, Gone: ss.gone}, cfg.Logger),
		Home:  ss.inProcess,
	}
	absent, err := partition.NewAbsent(b)
	if err != nil {
		return nil, err
	}
	ss.absent = absent
	if cfg.Postgres != "" {
		var err error
		if ss.pool, err = writeback.NewPool(cfg.Postgres, cfg.Conns); err != nil {
			return nil, err
		}
	}
	names := []string{defaultSpace}
	if cfg.Durability != Memory {
		var err error
		ss.store, err = replication.Open(ctx, replication.Config{
			Dir: cfg.Data, Sync: cfg.Durability == Synced, MaxBytes: cfg.MaxLog, Logger: cfg.Logger, AcceptLoss: cfg.AcceptLoss,
		})
		if err != nil {
			return nil, err
		}
		found, err := ss.store.Spaces(ctx)
		if err != nil {
			return nil, errors.Join(err, ss.close(ctx))
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if err := ss.addAll(ctx, names, up); err != nil {
		return nil, errors.Join(err, ss.close(ctx))
	}
	ss.shared.Spans.Start(ctx)
	return ss, nil
}

// addAll starts the spaces whose logs are complete, and returns an error if there are none.
func (ss *spaces) addAll(ctx context.Context, names []string, up *startup) error {
	var errs []error
	refused := map[string]error{}
	for i, name := range names {
		_, err := ss.add(ctx, name, up.progress(name, i, len(names)))
		if err != nil {
			err = fmt.Errorf("open space %q: %w", name, err)
		}
		if err != nil && !replication.Unusable(err) {
			return err
		}
		if err != nil {
			errs = append(errs, err)
			refused[name] = fmt.Errorf("%w: %w; serve --accept-loss goes on with what is left of its log, "+
				"and gospaces spaces drop removes it", call.ErrUnavailable, err)
		}
	}
	if len(errs) == len(names) {
		return errs[0]
	}
	for _, err := range errs {
		ss.cfg.Logger.Error("space refused", "error", err)
	}
	ss.tableMu.Lock()
	ss.refused, ss.complete = refused, true
	ss.tableMu.Unlock()
	return nil
}

// open returns the named space, and creates it if it does not exist.
func (ss *spaces) open(name string) (*hosted, error) {
	if s := ss.lookup(name); s != nil {
		return s, nil
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s := ss.lookup(name); s != nil {
		return s, nil
	}
	have := len(ss.names())
	switch err := cmp.Or(validName(name), ss.refusal(name)); {
	case err != nil:
		return nil, err
	case ss.closed:
		return nil, call.ErrClosed
	case have >= ss.cfg.Limits.Spaces:
		return nil, fmt.Errorf("%w: there are %d spaces, as many as --max-spaces allows", call.ErrSpaceFull, have)
	case ss.budget.Scarce():
		return nil, ss.budget.Refuse(call.ErrSpaceFull)
	}
	s, err := ss.addLocked(ss.ctx, name, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: make space %q: %w", call.ErrUnavailable, name, err)
	}
	return s, nil
}

// validName returns call.ErrInvalidArgument for an invalid name of a space.
func validName(name string) error {
	if err := replication.ValidName(name); err != nil {
		return fmt.Errorf("%w: %w", call.ErrInvalidArgument, err)
	}
	return nil
}

func (ss *spaces) add(ctx context.Context, name string, progress func(done, total uint64)) (*hosted, error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.addLocked(ctx, name, progress)
}

// addLocked starts a space from its log, if there is one.
func (ss *spaces) addLocked(ctx context.Context, name string, progress func(done, total uint64)) (*hosted, error) {
	s := &hosted{incarnation: rand.Text()}
	s.ctx, s.cancel = context.WithCancel(ss.ctx)
	cfg := partitionConfig(ss.cfg, ss.budget, txn.Address{Space: name})
	cfg.Txns = ss.shared.Spans
	if ss.store != nil {
		var err error
		if s.log, err = ss.store.Log(ctx, name, 0); err != nil {
			s.cancel()
			return nil, err
		}
		s.incarnation = s.log.Incarnation()
		s.guard = newGuard(ss.cfg, s.log, ss.cfg.Logger.With("space", name))
		cfg.Log = guardedLog{s.log, s.guard}
		if ss.cfg.wrapLog != nil {
			cfg.Log = ss.cfg.wrapLog(name, cfg.Log)
		}
	}
	s.partition = partition.New(cfg)
	s.host = ss.shared.Spans.Host(s.partition)
	if err := s.partition.Start(ctx, progress); err != nil {
		s.cancel()
		return nil, err
	}
	s.partition.EndUnowned()
	s.space = local.Serve(s.partition, &ss.shared)
	ss.prepareSnapshots(name, s)
	if err := ss.startMirror(name, s); err != nil {
		s.cancel()
		return nil, errors.Join(err, s.partition.Close())
	}
	ss.startSnapshots(s)
	ss.startGuard(s)
	ss.tableMu.Lock()
	ss.byName[name] = s
	ss.tableMu.Unlock()
	return s, nil
}

// partitionConfig returns the configuration of a partition without a log, which shares no transactions.
func partitionConfig(cfg *Config, b *budget.Budget, at txn.Address) partition.Config {
	return partition.Config{
		Address: at, Logger: cfg.Logger.With("space", at.Space), MaxEntry: cfg.MaxEntry, MaxCall: cfg.MaxCall,
		Limits: engine.Limits{
			EntryLease: int64(cfg.MaxLease), RegistrationLease: int64(cfg.MaxListen), TxnLease: int64(cfg.MaxTxn),
			TxnEntries: cfg.Limits.TxnEntries,
		},
		TxnGrace: cfg.Resume,
		Bounds:   cfg.Limits.bounds(), Budget: b,
	}
}

// startGuard starts the guard of a space that has a log.
func (ss *spaces) startGuard(s *hosted) {
	if s.guard == nil {
		return
	}
	mirror := s.mirror
	if ss.cfg.MirrorFull == Rebase {
		mirror = nil
	}
	s.guard.watch(s.partition, mirror)
	s.running.Go(func() { s.guard.run(s.ctx) })
}

// prepareSnapshots creates the snapshotter of a space that has a log.
func (ss *spaces) prepareSnapshots(name string, s *hosted) {
	if s.log == nil {
		return
	}
	s.snapshots = &snapshotter{
		cfg: ss.cfg, partition: s.partition, log: s.log, needed: func() uint64 { return s.mirrorNeeds(ss.cfg) },
		logger: ss.cfg.Logger.With("space", name),
	}
}

func (ss *spaces) startSnapshots(s *hosted) {
	if s.snapshots != nil {
		s.running.Go(func() { s.snapshots.run(s.ctx) })
	}
}

// lookup returns the named space, or nil if it is not open.
func (ss *spaces) lookup(name string) *hosted {
	ss.tableMu.RLock()
	defer ss.tableMu.RUnlock()
	return ss.byName[name]
}

// refusal returns the reason why a space is not served, or nil.
func (ss *spaces) refusal(name string) error {
	ss.tableMu.RLock()
	defer ss.tableMu.RUnlock()
	return ss.refused[name]
}

// refusals returns the spaces that are not served, with the reasons.
func (ss *spaces) refusals() map[string]error {
	ss.tableMu.RLock()
	defer ss.tableMu.RUnlock()
	return maps.Clone(ss.refused)
}

// gone reports whether the space of an address no longer exists.
func (ss *spaces) gone(a txn.Address) bool {
	ss.tableMu.RLock()
	defer ss.tableMu.RUnlock()
	return ss.complete && ss.byName[a.Space] == nil && ss.refused[a.Space] == nil
}

// at returns the space of an address, or nil if it does not exist. It returns an error if the space is not served, and
// call.ErrInvalidArgument if the address is invalid, or names no partition of the space.
func (ss *spaces) at(a txn.Address) (*hosted, error) {
	s := ss.lookup(a.Space)
	switch {
	case s != nil && a == s.partition.Address():
		return s, nil
	case s != nil:
		return nil, fmt.Errorf("%w: space %q has no partition %d: its only one is 0",
			call.ErrInvalidArgument, a.Space, a.Partition)
	}
	if err := cmp.Or(ss.refusal(a.Space), validName(a.Space)); err != nil {
		return nil, err
	}
	if a.Partition != 0 {
		return nil, fmt.Errorf("%w: there is no space %q, so it has no partition %d",
			call.ErrInvalidArgument, a.Space, a.Partition)
	}
	return nil, nil
}

// partition returns the partition at an address, or nil.
func (ss *spaces) partition(a txn.Address) *partition.Partition {
	if s := ss.lookup(a.Space); s != nil && a == s.partition.Address() {
		return s.partition
	}
	return nil
}

// inProcess returns the named space for this process, or nil.
func (ss *spaces) inProcess(name string) *local.Space {
	if s := ss.lookup(name); s != nil {
		return s.space
	}
	return nil
}

// addresses returns the addresses of all partitions.
func (ss *spaces) addresses() (as []txn.Address) {
	for _, s := range ss.all() {
		as = append(as, s.partition.Address())
	}
	slices.SortFunc(as, txn.Address.Compare)
	return as
}

func (ss *spaces) names() []string {
	ss.tableMu.RLock()
	defer ss.tableMu.RUnlock()
	return slices.Sorted(maps.Keys(ss.byName))
}

// all returns the spaces by name.
func (ss *spaces) all() map[string]*hosted {
	ss.tableMu.RLock()
	defer ss.tableMu.RUnlock()
	return maps.Clone(ss.byName)
}

// known returns the names of all spaces, including those that are not served.
func (ss *spaces) known() map[string]bool {
	known := map[string]bool{}
	for _, name := range ss.names() {
		known[name] = true
	}
	for name := range ss.refusals() {
		known[name] = true
	}
	return known
}

// close stops all spaces. It waits for the mirrors until ctx ends, but not for a database that is away: they catch up
// after the next start.
func (ss *spaces) close(ctx context.Context) error {
	ss.mu.Lock()
	ss.closed = true
	ss.mu.Unlock()
	ss.shared.Spans.Close()
	errs := []error{ss.absent.Close()}
	all := ss.all()
	for _, s := range all {
		errs = append(errs, s.partition.Close())
		s.space.Shut(call.ErrClosed)
	}
	var flushing sync.WaitGroup
	for name, s := range all {
		if s.mirror != nil {
			flushing.Go(func() { ss.flush(ctx, name, s) })
		}
	}
	flushing.Wait()
	ss.cancel()
	ss.watching.Wait()
	for _, s := range all {
		s.stop()
	}
	if ss.pool != nil {
		ss.pool.Close()
	}
	if ss.store != nil {
		errs = append(errs, ss.store.Close())
	}
	return errors.Join(errs...)
}

// flush waits for the mirror of a space, and logs if it does not wait.
func (ss *spaces) flush(ctx context.Context, name string, s *hosted) {
	logger := ss.cfg.Logger.With("space", name)
	if lag := s.mirror.Stats().LagGroups; lag > 0 {
		logger.Info("waiting for the mirror", "lag_groups", lag)
	}
	if err := s.mirror.FlushOrAway(ctx); err != nil {
		logger.Warn("the mirror is behind and catches up after the next start", "lag_groups", s.mirror.Stats().LagGroups,
			"error", err)
	}
}
