// Package partition is the shell around the engine: one mutex, the clock, waiting calls, listeners, and the group
// commit to the log.
//
// A call changes the engine at once, but its outcome is released only when the log has acknowledged everything that it
// depends on. So no client ever sees what a crash could take back, and all calls that arrive while one message is on
// its way to the log share the next.
package partition

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gospaces/gospaces/internal/budget"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Log makes groups of records durable, one at a time.
type Log interface {
	// Append stores msg and returns when it is durable at the log's level. The first record.HeaderSize bytes of msg are
	// room for its header, with the clock already set; records follow. msg belongs to the caller again once Append
	// returns. After an error nothing may be appended before the next Claim. It is unknown whether msg was stored,
	// unless the error has, or wraps one that has, a method NotStored that returns true.
	Append(msg []byte) error
	// Last returns the position of the last successful Append or, after Claim, of the claim.
	Last() uint64
	// Distrust makes Load start from no image that this process has: the states that they lead to were found wrong. It
	// must not be called while an image is taken.
	Distrust() error
	// Read calls fn for the groups from position from to position to, in order; an error of fn ends it and is returned.
	// Read neither changes the log nor delays appends for long. If the log will never have the requested part, the
	// error has, or wraps one that has, a method Unreadable that returns true.
	Read(ctx context.Context, from, to uint64, fn func(record.Group) error) error
	// Load calls fn with an image of the state, if there is one, in pieces of whole records, and returns the position
	// of the last group that it includes, and the clock at that time; 0 if there is none.
	Load(ctx context.Context, fn func(records []byte) error, progress func(done, total uint64)) (
		position uint64, clock record.Clock, err error)
	// CatchUp calls fn for all groups after a position in order, up to the current end of the log, and returns the
	// position of that end.
	CatchUp(
		ctx context.Context, after uint64, apply func(record.Group) error, progress func(done, total uint64),
	) (end uint64, err error)
	// Claim makes the caller, whose state includes everything up to a position, the log's only writer. The claim, with
	// the given clock in its header, is returned and must be applied. If the log holds more than that, the error has,
	// or wraps one that has, a method Fenced that returns true.
	Claim(ctx context.Context, follows uint64, clock record.Clock) (record.Group, error)
	// Follow hands over all groups after a position in order, and goes on as they are appended. It returns the error of
	// apply, or the cause of ctx's end.
	Follow(ctx context.Context, after uint64, apply func(record.Group) error) error
	// Resign stores that the caller is not the log's writer any more, and who is to be the next; "" for any. It returns
	// the errors of Append.
	Resign(heir string, clock record.Clock) error
}

// Config configures a Partition. The zero value is a partition without a log.
type Config struct {
	Address      txn.Address  // for transactions over several partitions, and for the identities that it issues
	Log          Log          // nil: every outcome is durable at once, and nothing survives the process
	Logger       *slog.Logger // nil: silent
	MaxEntry     int          // bytes of one entry's row; 0: 1 MiB
	MaxCall      int          // bytes of all rows of one write; 0: 8 MiB
	Origin       uint64       // a number below all identities if it begins empty, see record.OriginAt
	EventBacklog int          // events of a registration kept in memory until they are acknowledged; 0: 65536
	EventBytes   int          // bytes of their rows; 0: 64 MiB. Earlier events are read from the log
	Bounds       Bounds
	Budget       *budget.Budget // of the process, charged with what the partition holds; nil: no limit

	// Standby makes the partition follow its log until Lead is called, and again when another has claimed the log.
	// Otherwise it claims the log whenever it can, since no other process writes it.
	Standby bool
	// Lease is how long a primary may answer from its state without asking the log, counted from the sending of a
	// message that the log has acknowledged. It must be shorter than the Patience of the other replicas. 0: always,
	// since no other process writes the log.
	Lease time.Duration
	// Patience is how long a standby partition waits after it has applied a message until it claims the log. It does
	// not wait after a resignation, nor if the log is empty. 0: it does not wait.
	Patience time.Duration

	// Gather is the pause after a message with the records of many calls, before the next is sent. The callers whose
	// outcomes it has released make their next calls meanwhile, which share a message with calls that have gathered
	// while it was in flight. It pays if a message costs more than the pause, as on several nodes. 0: none.
	Gather time.Duration
	// AuditEvery is the number of messages after which replicas compare their states. 0: never.
	AuditEvery uint64
	// Primary tells where the partition is served while it is not here, without an address if that is unknown or this
	// node. It must not block. nil: unknown.
	Primary func() *call.ElsewhereError
	// Time asks the process that serves the partition for the time of the space, in nanoseconds since the Unix epoch. A
	// follower that has started does so until there is an answer. nil: it does not know the time before it leads.
	Time func(ctx context.Context) (int64, error)

	// Limits are the longest granted leases, and the largest transactions: TxnBytes 0 is MaxCall, TxnEntries 0 is
	// call.DefaultTxnEntries. TxnEntries also limits one write.
	Limits engine.Limits

	// SessionGrace is how long the outcomes of a client's calls are kept after the client is gone; 0: 2 minutes.
	SessionGrace time.Duration
	// TxnGrace is how long the transactions of a client are kept after the client is gone, also after a restart; 0:
	// 30 s. They end with its session at the latest.
	TxnGrace time.Duration

	Wall func() time.Time // the machine's wall clock, for tests; nil: time.Now

	// Scattered is set if transactions may have parts in partitions of other processes: then calls wait for the outcome
	// of prepared branches that they meet.
	Scattered bool

	Txns Coordinator // of transactions over several partitions; nil: there are none
}

// Partition is one engine with its log. All methods may be called concurrently, from Start on. Calls that take a Caller
// never block: their outcome comes by Caller.Reply, often before they return.
type Partition struct {
	cfg    Config
	cancel context.CancelFunc
	ctx    context.Context // for roles and readings; ends with Close
	done   sync.WaitGroup  // run, and readings
	turns  chan struct{}   // holds an element for each current reading

	kinds atomic.Pointer[kinds]
	clock clock                 // set before Start ends
	crowd atomic.Pointer[error] // see Crowd; nil: there is room

	mu   mutex
	e    *engine.Engine
	old  *engine.Engine // e as of the end of its calls; only its sessions are used. nil while primary
	role role
	// error of refused calls, see refusal; nil while primary. While readOnly, calls that change nothing are not refused
	err         error
	epoch       uint64    // position of the last claim of this partition; 0: none
	sending     instant   // when the batch in flight was sent
	sent        instant   // when the last batch was sent that was acknowledged, or the claim
	heard       time.Time // when the last message of another was applied, or the log was read to its end
	vacant      bool      // no one can have a lease: the log is empty, or its last message a resignation
	leaders     int       // calls of Lead that wait for this partition, a follower, to claim
	throttle    error     // error of calls that grow the log; nil: not throttled
	throttled   uint64    // number of calls throttled
	waits       waits
	listeners   map[uint64]*listener   // by registration
	roll        []*listener            // all of them, for walks in steps; see overListeners
	audience    map[Caller]*listener   // the head of each caller's list
	events      events                 // in the backlogs of all listeners
	charged     int64                  // to the budget
	overfull    []*listener            // listeners that exceed their limits until the log has their events
	attachments map[uint64]*attachment // by session
	away        absences
	holders     map[uint64]Holder // likewise
	commits     commits
	result      call.Result // of the current call; here to avoid an allocation per call
	timer       *time.Timer // fires at armed
	armed       int64
	failed      chan struct{} // closed and replaced when the log fails
	turned      chan struct{} // closed and replaced when the role changes
	heir        string        // the next primary, while this one is resigning

	following     context.Context // while follower
	stopFollowing context.CancelCauseFunc

	upkeep  upkeep
	audit   audit
	imaging chan struct{} // capacity 1; holds an element while an image is taken
}

// Address returns the address of the partition.
func (p *Partition) Address() txn.Address { return p.cfg.Address }

// New returns an empty partition. Call Start to serve.
func New(cfg Config) *Partition {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	setDefault(&cfg.MaxEntry, 1<<20)
	setDefault(&cfg.MaxCall, 8<<20)
	setDefault(&cfg.Limits.TxnBytes, cfg.MaxCall)
	setDefault(&cfg.Limits.TxnEntries, call.DefaultTxnEntries)
	setDefault(&cfg.EventBacklog, 1<<16)
	setDefault(&cfg.EventBytes, 64<<20)
	if cfg.SessionGrace <= 0 {
		cfg.SessionGrace = 2 * time.Minute
	}
	if cfg.TxnGrace <= 0 {
		cfg.TxnGrace = 30 * time.Second
	}
	p := &Partition{
		cfg: cfg, armed: call.Forever, attachments: map[uint64]*attachment{}, holders: map[uint64]Holder{},
		turns:  make(chan struct{}, readings),
		failed: make(chan struct{}), turned: make(chan struct{}), imaging: make(chan struct{}, 1), clock: newClock(cfg.Wall),
	}
	p.commits.clock = &p.clock
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.reset(0)
	p.publishKinds()
	p.err = fmt.Errorf("%w: starting", call.ErrNotReady)
	return p
}

func setDefault(v *int, d int) {
	if *v <= 0 {
		*v = d
	}
}

// reset empties the state; the next change gets the number after lsn. The kinds stay published until those of the new
// state are: a caller that needs one meanwhile should be told that the space is unavailable, not that the kind does not
// exist.
func (p *Partition) reset(lsn LSN) {
	p.e = engine.New(engine.Config{Partition: p.cfg.Address.Partition, Limits: p.cfg.Limits}, uint64(lsn))
	p.commits.empty(p.e)
	p.audit.own, p.audit.differs = engine.Checked{}, false
}

// Close ends waiting calls with call.ErrClosed, commits pending records and stops the partition. It is idempotent.
func (p *Partition) Close() error {
	p.Quit(call.ErrClosed)
	return nil
}

// Quit is Close for a partition that leaves this process: its calls end with why.
func (p *Partition) Quit(why error) {
	p.mu.Lock()
	p.end(why)
}

// Discard is Close for a space that is dropped: its calls end with call.ErrDropped. It returns ErrParts, and changes
// nothing, while a transaction over several spaces has a part here, since the other spaces would not learn its outcome;
// and the error of a partition that does not serve.
func (p *Partition) Discard() error {
	p.mu.Lock()
	err := p.refusal()
	if p.role == readOnly {
		err = nil // the state exists, and the room is needed
	}
	if err == nil {
		err = p.noParts()
	}
	if err != nil {
		p.mu.Unlock()
		return err
	}
	p.end(p.dropped())
	return nil
}

// Abandon is Discard for a partition that does not serve because its log is gone: the parts that transactions over
// several spaces had in it are unknown.
func (p *Partition) Abandon() {
	p.mu.Lock()
	p.end(p.dropped())
}

func (p *Partition) dropped() error {
	return fmt.Errorf("%w: space %q was dropped", call.ErrDropped, p.cfg.Address.Space)
}

// ErrParts is returned for a space that cannot be dropped yet. It wraps call.ErrInvalidArgument.
var ErrParts = fmt.Errorf("%w: transactions over several spaces have parts there: end them, or wait until they have "+
	"ended", call.ErrInvalidArgument)

// noParts returns ErrParts if a transaction over several spaces has a part here that has not ended. The lock is held.
func (p *Partition) noParts() error {
	if len(p.e.Branches())+len(p.e.Prepared())+len(p.e.Decisions()) > 0 || p.e.Enlisted() {
		return fmt.Errorf("space %q: %w", p.cfg.Address.Space, ErrParts)
	}
	return nil
}

// end stops the partition and releases its lock, which is held: calls end with err from now on.
func (p *Partition) end(err error) {
	if !p.become(closed, err) {
		p.mu.Unlock()
		p.done.Wait()
		return
	}
	p.endWaits(err)
	p.away.stop()
	if p.timer != nil {
		p.timer.Stop()
	}
	p.commits.finish()
	p.mu.Unlock()
	p.cancel()
	p.done.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.charged = p.cfg.Budget.Settle(p.charged, 0)
}

// kinds is what calls read of kinds without the lock. It is replaced as a whole.
type kinds struct {
	schemas []*template.Schema // by KindID-1
	dropped []bool             // likewise
	ids     map[string]call.KindID
}

// Schema returns the schema of a kind, also of a dropped one, or nil. It takes no lock.
func (p *Partition) Schema(k call.KindID) *template.Schema {
	if ks := p.kinds.Load(); k > 0 && int(k) <= len(ks.schemas) {
		return ks.schemas[k-1]
	}
	return nil
}

// IsDropped reports whether a kind was dropped. It takes no lock.
func (p *Partition) IsDropped(k call.KindID) bool {
	ks := p.kinds.Load()
	return k > 0 && int(k) <= len(ks.dropped) && ks.dropped[k-1]
}

// KindID returns the number of the named kind, or 0. It takes no lock.
func (p *Partition) KindID(name string) call.KindID { return p.kinds.Load().ids[name] }

func (p *Partition) publishKinds() {
	ks := &kinds{ids: map[string]call.KindID{}}
	for id := call.KindID(1); p.e.Schema(id) != nil; id++ {
		s := p.e.Schema(id)
		ks.schemas = append(ks.schemas, s)
		live := p.e.KindID(s.Kind) == id
		ks.dropped = append(ks.dropped, !live)
		if live {
			ks.ids[s.Kind] = id
		}
	}
	p.kinds.Store(ks)
}

// expire is called when leases or delays have ended.
func (p *Partition) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = call.Forever
	if p.unreadable() == nil {
		p.e.Expire(p.clock.now())
		p.finish()
	}
}

// arm sets the timer for expire.
func (p *Partition) arm() {
	if next := p.e.NextExpiry(); next < p.armed {
		p.armed = next
		p.timer.Reset(time.Duration(next - p.clock.now()))
	}
}

// Err returns the error of refused calls, or nil while the partition serves.
func (p *Partition) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refusal()
}

// Hash returns the checksum of the state (engine.Hash), for tests and audits.
func (p *Partition) Hash() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.e.Hash()
}

// Highest returns a value of Config.Origin for a partition that must have none of the identities of this one.
func (p *Partition) Highest() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.old != nil {
		return max(p.e.Highest(), p.old.Highest())
	}
	return p.e.Highest()
}

// LastOrder returns the place of the youngest entry in the order of all that have become visible.
func (p *Partition) LastOrder() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.e.LastOrder()
}

// OldestFree calls fn for each kind with entries that may be taken, with the place of the oldest in the order of all.
// fn must not call p.
func (p *Partition) OldestFree(fn func(kind string, order uint64)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.e.OldestFree(fn)
}

// Stats are the numbers of a partition.
type Stats struct {
	Entries       int // including invisible ones
	Ready         int // visible entries
	Apart         call.Apart
	Waiting       int // waiting calls
	Registrations int
	Sessions      int // of clients that repeat calls, present or awaited
	Events        int // kept in memory for listeners
	EventBytes    int // of their rows
	Txns          int
	Kinds         int
	Memory        int64 // bytes charged by the partition
	Prepared      int   // branches that wait for the outcome of their transactions
	LSN, Durable  LSN
	Err           error  // error of refused calls; nil while serving
	Throttle      error  // error of calls that grow the log, if throttled (Partition.Throttle), or nil
	Throttled     uint64 // number of calls throttled
	Audits        uint64 // how often the state was compared with that of the primary
	Differed      uint64 // how often it was not the same
}

// Stats returns the current numbers.
func (p *Partition) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	st := Stats{
		Entries: p.e.Entries(),
		Waiting: len(p.waits.byCall), Registrations: len(p.listeners), Sessions: len(p.attachments),
		Events: p.events.n, EventBytes: p.events.rows, Prepared: p.e.NumPrepared(),
		LSN: LSN(p.e.LSN()), Durable: p.durable(), Err: p.refusal(),
		Throttle: p.throttle, Throttled: p.throttled, Audits: p.audit.compared, Differed: p.audit.differed,
	}
	st.Txns, st.Kinds, st.Memory = p.e.Transactions(), p.e.NumKinds(), p.charged
	st.Ready, st.Apart = p.e.Totals()
	return st
}
