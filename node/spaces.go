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
	"sync/atomic"
	"time"

	"github.com/gospaces/gospaces/internal/budget"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/local"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/internal/route"
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

	mu      sync.Mutex      // held while a space is opened or dropped
	closed  bool            // changed under mu and tableMu
	debris  map[string]bool // guarded by mu; names of dropped spaces that may have left logs
	highest uint64          // guarded by mu; of the identities of spaces that were dropped; the store keeps it

	tableMu  sync.RWMutex       // never held for long; taken after mu
	byName   map[string]*family // guarded by tableMu
	refused  map[string]error   // guarded by tableMu; spaces that are not served, and why
	complete bool               // guarded by tableMu; every space in the folder is in one of these
}

// family is a space: its partitions, by number.
type family struct {
	parts []*hosted
	space *local.Space // for this process; nil if the space has several partitions
}

// hosted is one partition of a space, with its log and its mirror.
type hosted struct {
	at          txn.Address
	created     uint64 // of the space, in a cluster
	partition   *partition.Partition
	host        *partition.Host // of the partition, for the server
	incarnation string
	log         *replication.Log  // nil with Memory
	mirror      *writeback.Writer // nil without a database
	guard       *guard            // nil with Memory
	snapshots   *snapshotter      // nil with Memory
	standby     bool              // it is one of several replicas of a cluster
	waits       func() string     // why calls wait although it is the primary; "": they do not. Nil without standby
	terms       atomic.Uint64     // how often it has become the primary
	handed      atomic.Uint64     // how often it has handed that over
	ages        ages              // of its entries, if there is an admin address
	lost        bool              // it is being dropped, and its log is gone; guarded by spaces.mu

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
	ss := &spaces{
		cfg: cfg, budget: b, byName: map[string]*family{}, refused: map[string]error{},
		debris: map[string]bool{},
	}
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
	sizes := map[string]int{defaultSpace: 1}
	if cfg.Durability != Memory {
		var err error
		ss.store, err = replication.Open(ctx, replication.Config{
			Dir: cfg.Data, Sync: cfg.Durability == Synced, MaxBytes: cfg.MaxLog, Logger: cfg.Logger, AcceptLoss: cfg.AcceptLoss,
		})
		if err != nil {
			return nil, err
		}
		ss.highest = ss.store.Retired()
		if err := ss.inventory(ctx, sizes); err != nil {
			return nil, errors.Join(err, ss.close(ctx))
		}
	}
	if err := ss.addAll(ctx, sizes, up); err != nil {
		return nil, errors.Join(err, ss.close(ctx))
	}
	ss.shared.Spans.Start(ctx)
	return ss, nil
}

// identity returns the identity of what the spaces have: that of the folder, or that of this process.
func (ss *spaces) identity() string {
	if ss.store == nil {
		return rand.Text()
	}
	return ss.store.ID()
}

// inventory adds the spaces in the folder to sizes, with the numbers of their partitions. The log of the first
// partition is created last and dropped first: without it the others are the remains of a dropped space.
func (ss *spaces) inventory(ctx context.Context, sizes map[string]int) error {
	found, err := ss.store.Spaces(ctx)
	if err != nil {
		return err
	}
	for name, partitions := range found {
		if partitions[0] == 0 {
			sizes[name] = sizeOf(partitions)
			continue
		}
		ss.cfg.Logger.Info("removing what is left of a space", "space", name)
		if err := ss.dropLogs(ctx, name, partitions); err != nil {
			return err
		}
	}
	return nil
}

// sizeOf returns the number of partitions of a space that has logs of these, sorted.
func sizeOf(partitions []int) int {
	if len(partitions) == 0 {
		return 0
	}
	return partitions[len(partitions)-1] + 1
}

// dropLogs removes the logs of some partitions of a space.
func (ss *spaces) dropLogs(ctx context.Context, name string, partitions []int) error {
	for _, p := range partitions {
		if err := ss.store.Drop(ctx, name, p); err != nil {
			return fmt.Errorf("remove the log of partition %d of space %q: %w", p, name, err)
		}
	}
	return nil
}

// addAll starts the spaces whose logs are complete, and returns an error if there are none.
func (ss *spaces) addAll(ctx context.Context, sizes map[string]int, up *startup) error {
	var errs []error
	refused := map[string]error{}
	names := slices.Sorted(maps.Keys(sizes))
	for i, name := range names {
		_, err := ss.add(ctx, name, sizes[name], up.progress(name, i, len(names)))
		if err != nil {
			err = fmt.Errorf("open space %q: %w", name, err)
		}
		if err != nil && !replication.Unusable(err) {
			return err
		}
		if err != nil {
			errs = append(errs, err)
			refused[name] = fmt.Errorf("%w: %w; serve --accept-loss goes on with what is left of its log, "+
				"and gospaces spaces drop removes it", call.ErrLogLost, err)
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

// open returns the named space, and creates it with that many partitions if it does not exist; 0 stands for any number,
// and for 1. It returns call.ErrInvalidArgument if the space has another number.
func (ss *spaces) open(name string, partitions int) (*family, error) {
	if f, err := ss.opened(name, partitions); f != nil || err != nil {
		return f, err
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if f, err := ss.opened(name, partitions); f != nil || err != nil {
		return f, err
	}
	have := len(ss.names())
	switch err := cmp.Or(validName(name), ss.refusal(name)); {
	case err != nil:
		return nil, err
	case have >= ss.cfg.Limits.Spaces:
		return nil, fmt.Errorf("%w: there are %d spaces, as many as --max-spaces allows", call.ErrSpaceFull, have)
	case ss.budget.Scarce():
		return nil, ss.budget.Refuse(call.ErrSpaceFull)
	}
	f, err := ss.create(name, max(partitions, 1))
	if err != nil {
		return nil, fmt.Errorf("%w: make space %q: %w", call.ErrUnavailable, name, err)
	}
	return f, nil
}

// validShape returns call.ErrInvalidArgument for a shape that no space can have.
func validShape(s call.Shape) error {
	if s.Partitions > route.MaxPartitions {
		return fmt.Errorf("%w: a space of %d partitions; it has 1 to %d", call.ErrInvalidArgument, s.Partitions,
			route.MaxPartitions)
	}
	if s.Replicas > call.MaxReplicas {
		return fmt.Errorf("%w: a space with %d replicas; it has 1 to %d", call.ErrInvalidArgument, s.Replicas,
			call.MaxReplicas)
	}
	return nil
}

// hasPartitions returns call.ErrInvalidArgument if a space has another number of partitions than was asked for.
func hasPartitions(name string, have, asked int) error {
	if asked != 0 && asked != have {
		return fmt.Errorf("%w: space %q is there, and has %d partitions, not %d", call.ErrInvalidArgument, name, have, asked)
	}
	return nil
}

// create creates a space that does not exist. If that fails nothing is left of it.
func (ss *spaces) create(name string, partitions int) (*family, error) {
	if err := ss.clear(name); err != nil {
		return nil, err
	}
	f, err := ss.addLocked(ss.ctx, name, partitions, nil)
	if err != nil && ss.store != nil {
		ss.debris[name] = true
		err = errors.Join(err, ss.clear(name))
	}
	return f, err
}

// clear removes the logs that a dropped space may have left.
func (ss *spaces) clear(name string) error {
	if !ss.debris[name] {
		return nil
	}
	found, err := ss.store.Spaces(ss.ctx)
	if err == nil {
		err = ss.dropLogs(ss.ctx, name, found[name])
	}
	if err == nil {
		delete(ss.debris, name)
	}
	return err
}

// validName returns call.ErrInvalidArgument for an invalid name of a space.
func validName(name string) error {
	if err := replication.ValidName(name); err != nil {
		return fmt.Errorf("%w: %w", call.ErrInvalidArgument, err)
	}
	return nil
}

func (ss *spaces) add(
	ctx context.Context, name string, partitions int, progress func(done, total uint64),
) (*family, error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.addLocked(ctx, name, partitions, progress)
}

// addLocked starts a space from its logs, if there are any: the first partition last, see inventory.
func (ss *spaces) addLocked(
	ctx context.Context, name string, partitions int, progress func(done, total uint64),
) (*family, error) {
	f := &family{parts: make([]*hosted, partitions)}
	for p := partitions - 1; p >= 0; p-- {
		s, err := ss.start(ctx, txn.Address{Space: name, Partition: uint16(p)}, partitions, progress)
		if err != nil {
			for _, s := range f.parts[p+1:] {
				err = errors.Join(err, s.partition.Close())
				s.stop()
			}
			return nil, err
		}
		f.parts[p] = s
	}
	if partitions == 1 {
		f.space = local.Serve(f.parts[0].partition, &ss.shared)
	}
	ss.tableMu.Lock()
	ss.byName[name] = f
	ss.tableMu.Unlock()
	return f, nil
}

// start starts a partition, of a space that has that many, from its log, if there is one.
func (ss *spaces) start(
	ctx context.Context, at txn.Address, partitions int, progress func(done, total uint64),
) (*hosted, error) {
	s := &hosted{at: at, incarnation: rand.Text()}
	s.ctx, s.cancel = context.WithCancel(ss.ctx)
	cfg := partitionConfig(ss.cfg, ss.budget, at)
	cfg.Txns = ss.shared.Spans
	cfg.Origin = max(cfg.Origin, ss.highest)
	if ss.store != nil {
		var err error
		if s.log, err = ss.store.Log(ctx, at.Space, int(at.Partition)); err != nil {
			s.cancel()
			return nil, err
		}
		s.incarnation = s.log.Incarnation()
		s.guard = newGuard(ss.cfg, s.log, cfg.Logger)
		cfg.Log = guardedLog{s.log, s.guard}
		if ss.cfg.wrapLog != nil {
			cfg.Log = ss.cfg.wrapLog(at.Space, cfg.Log)
		}
	}
	s.partition = partition.New(cfg)
	s.host = ss.shared.Spans.Host(s.partition)
	if err := s.partition.Start(ctx, progress); err != nil {
		s.cancel()
		return nil, err
	}
	s.partition.EndUnowned()
	ss.prepareSnapshots(s)
	if err := ss.startMirror(s, partitions); err != nil {
		s.cancel()
		return nil, errors.Join(err, s.partition.Close())
	}
	ss.startSnapshots(s)
	ss.startGuard(s)
	return s, nil
}

// partitionConfig returns the configuration of a partition without a log, which shares no transactions.
func partitionConfig(cfg *Config, b *budget.Budget, at txn.Address) partition.Config {
	return partition.Config{
		Address: at, Logger: cfg.Logger.With("space", at.String()), MaxEntry: cfg.MaxEntry, MaxCall: cfg.MaxCall,
		Limits: engine.Limits{
			EntryLease: int64(cfg.MaxLease), RegistrationLease: int64(cfg.MaxListen), TxnLease: int64(cfg.MaxTxn),
			TxnEntries: cfg.Limits.TxnEntries,
		},
		TxnGrace: cfg.Resume,
		Origin:   record.OriginAt(time.Now().UnixNano()),
		Bounds:   cfg.Limits.bounds(), Budget: b,
	}
}

// startGuard starts the guard of a partition that has a log.
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

// prepareSnapshots creates the snapshotter of a partition that has a log.
func (ss *spaces) prepareSnapshots(s *hosted) {
	if s.log == nil {
		return
	}
	s.snapshots = &snapshotter{
		cfg: ss.cfg, partition: s.partition, log: s.log, needed: func() uint64 { return s.mirrorNeeds(ss.cfg) },
		logger: ss.cfg.Logger.With("space", s.at.String()),
	}
}

func (ss *spaces) startSnapshots(s *hosted) {
	if s.snapshots != nil {
		s.running.Go(func() { s.snapshots.run(s.ctx) })
	}
}

// lookup returns the named space, or nil if it is not open.
func (ss *spaces) lookup(name string) *family {
	ss.tableMu.RLock()
	defer ss.tableMu.RUnlock()
	return ss.byName[name]
}

// opened returns the named space, or nil if it is not open. It returns call.ErrClosed once the spaces are closed, and
// call.ErrInvalidArgument if the space has another number of partitions.
func (ss *spaces) opened(name string, partitions int) (*family, error) {
	ss.tableMu.RLock()
	defer ss.tableMu.RUnlock()
	if ss.closed {
		return nil, call.ErrClosed
	}
	f := ss.byName[name]
	if f == nil {
		return nil, nil
	}
	return f, hasPartitions(name, len(f.parts), partitions)
}

// refusal returns the reason why a space is not served; nil if it is served.
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
func (ss *spaces) gone(_ context.Context, a txn.Address) bool {
	ss.tableMu.RLock()
	defer ss.tableMu.RUnlock()
	return ss.complete && ss.byName[a.Space] == nil && ss.refused[a.Space] == nil
}

// at returns what is at an address, and its space; nil if they do not exist. It returns an error if the space is not
// served, and call.ErrInvalidArgument if the name is invalid.
func (ss *spaces) at(a txn.Address) (*hosted, *family, error) {
	f := ss.lookup(a.Space)
	switch {
	case f != nil && int(a.Partition) < len(f.parts):
		return f.parts[a.Partition], f, nil
	case f != nil:
		return nil, f, nil
	}
	return nil, nil, cmp.Or(ss.refusal(a.Space), validName(a.Space))
}

// partition returns the partition at an address, or nil.
func (ss *spaces) partition(a txn.Address) *partition.Partition {
	if f := ss.lookup(a.Space); f != nil && int(a.Partition) < len(f.parts) {
		return f.parts[a.Partition].partition
	}
	return nil
}

// inProcess returns the named space for this process, or nil.
func (ss *spaces) inProcess(name string) *local.Space {
	if f := ss.lookup(name); f != nil {
		return f.space
	}
	return nil
}

// addresses returns the addresses of all partitions.
func (ss *spaces) addresses() (as []txn.Address) {
	for _, s := range ss.all() {
		as = append(as, s.at)
	}
	return as
}

func (ss *spaces) names() []string {
	ss.tableMu.RLock()
	defer ss.tableMu.RUnlock()
	return slices.Sorted(maps.Keys(ss.byName))
}

// all returns all partitions, by address.
func (ss *spaces) all() (all []*hosted) {
	ss.tableMu.RLock()
	defer ss.tableMu.RUnlock()
	for _, name := range slices.Sorted(maps.Keys(ss.byName)) {
		all = append(all, ss.byName[name].parts...)
	}
	return all
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
	ss.tableMu.Lock()
	ss.closed = true
	ss.tableMu.Unlock()
	ss.mu.Unlock()
	ss.shared.Spans.Close()
	errs := []error{ss.absent.Close()}
	all := ss.all()
	for _, s := range all {
		errs = append(errs, s.partition.Close())
	}
	for _, name := range ss.names() {
		ss.lookup(name).shut(call.ErrClosed)
	}
	var flushing sync.WaitGroup
	for _, s := range all {
		if s.mirror != nil {
			flushing.Go(func() { ss.flush(ctx, s) })
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

// shut ends the calls of this process to the space.
func (f *family) shut(why error) {
	if f.space != nil {
		f.space.Shut(why)
	}
}

// flush waits for the mirror of a partition, and logs if it gives up.
func (ss *spaces) flush(ctx context.Context, s *hosted) {
	logger := ss.cfg.Logger.With("space", s.at.String())
	if lag := s.mirror.Stats().LagGroups; lag > 0 {
		logger.Info("waiting for the mirror", "lag_groups", lag)
	}
	if err := s.mirror.FlushOrAway(ctx); err != nil {
		logger.Warn("the mirror is behind and catches up after the next start", "lag_groups", s.mirror.Stats().LagGroups,
			"error", err)
	}
}
