// Package partition is the shell around the engine: one mutex, the clock, waiting calls, listeners, and the group commit to the log.
//
// The engine changes at once when a call comes in, but the outcome of the call is held back until the log has acknowledged
// everything that it depends on. So nobody ever sees what a crash could take back, and all calls that come in while
// one message is on its way to the log share the next.
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
	// room for its header, in which the clock is set; records follow. msg belongs to the caller again once Append returns.
	// After an error nothing may be appended before the next Claim. Whether msg was stored is unknown, unless the error
	// has, or wraps one that has, a method NotStored that returns true.
	Append(msg []byte) error
	// Last returns the position of the message that the last successful Append has stored or, after Claim, of the claim.
	Last() uint64
	// Read hands over the groups from position from to position to, in order; it returns the error of fn, which ends it. It neither
	// changes the log nor delays appends for long. If the log will never be able to give what was asked for, the error has,
	// or wraps one that has, a method Unreadable that returns true.
	Read(ctx context.Context, from, to uint64, fn func(record.Group) error) error
	// Load hands over an image of the state, if there is one, in pieces of whole records, and returns the position of the last group that
	// it includes, and the clock then; 0 if there is none.
	Load(ctx context.Context, fn func(records []byte) error, progress func(done, total uint64)) (
		position uint64, clock record.Clock, err error)
	// CatchUp hands over all groups after a position in order, up to the end that the log has now, and returns the
	// position of that end.
	CatchUp(
		ctx context.Context, after uint64, apply func(record.Group) error, progress func(done, total uint64),
	) (end uint64, err error)
	// Claim makes the caller, whose state includes all up to a position, the log's only writer. The claim, which has the
	// clock given in its header, is returned, and is to be applied. If the log holds more than that, the error has, or wraps one that has, a method Fenced that
	// returns true.
	Claim(ctx context.Context, follows uint64, clock record.Clock) (record.Group, error)
}

// Config configures a Partition. The zero value is a partition without a log.
type Config struct {
	Address      txn.Address  // for transactions that span several partitions, and for the identities that it gives out
	Log          Log          // nil: every outcome is durable at once, nothing survives the process
	Logger       *slog.Logger // nil: silent
	MaxEntry     int          // bytes of one entry's row; 0: 1 MiB
	MaxCall      int          // bytes of all rows of one write; 0: 8 MiB
	EventBacklog int          // events of a registration kept in memory until they are acknowledged; 0: 65536
	EventBytes   int          // bytes of their rows; 0: 64 MiB. Earlier events come from the log
	Bounds       Bounds
	Budget       *budget.Budget // of the process, which the partition charges with what it holds; nil: without limit

	// Limits are the longest leases granted, and the largest transactions: TxnBytes 0 is MaxCall, TxnEntries 0 is
	// call.DefaultTxnEntries. TxnEntries bounds one write, too.
	Limits engine.Limits

	// SessionGrace is how long the outcomes of a client's calls are kept once the client is gone; 0: 2 minutes.
	SessionGrace time.Duration
	// TxnGrace is how long the transactions are kept of a client that is gone, after a restart too; 0: 30 s. They end
	// with its session at the latest.
	TxnGrace time.Duration

	Wall func() time.Time // the machine's wall clock, for tests; nil: time.Now

	Txns Coordinator // of transactions that span several partitions; nil: there are none
}

// Partition is one engine with its log. All methods may be called concurrently, from Start on. Calls that take a Caller
// never block: their outcome comes by Caller.Reply, in many cases before they return.
type Partition struct {
	cfg    Config
	cancel context.CancelFunc
	ctx    context.Context // of roles and readings; ends with Close
	done   sync.WaitGroup  // run, and readings
	turns  chan struct{}   // holds an element for each reading that is under way

	kinds atomic.Pointer[kinds]
	clock clock // set before Start is through

	mu          mutex
	e           *engine.Engine
	old         *engine.Engine // what e was when its calls were last ended; only its sessions are used. nil while primary
	role        role
	err         error  // why calls are refused; nil while primary. Those that change nothing are not while readOnly
	hold        error  // why calls are refused that make the log longer; nil: they are not
	held        uint64 // how many were
	waits       waits
	listeners   map[uint64]*listener   // by registration
	audience    map[Caller]*listener   // the head of each caller's list
	eventBytes  int                    // that the backlogs of all listeners take
	charged     int64                  // of the budget
	overfull    []*listener            // that hold more than they should, because the log has to take it first
	attachments map[uint64]*attachment // by session
	holders     map[uint64]Holder      // likewise
	commits     commits
	result      call.Result // of the current call; here so that it is not allocated for each
	timer       *time.Timer // fires at armed
	armed       int64
	failed      chan struct{} // closed, and replaced, when the log fails

	upkeep  upkeep
	imaging chan struct{} // capacity 1; holds an element while an image is taken
}

// Address returns where the partition is.
func (p *Partition) Address() txn.Address { return p.cfg.Address }

// New returns an empty partition. It serves from Start on.
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
		failed: make(chan struct{}), imaging: make(chan struct{}, 1), clock: newClock(cfg.Wall),
	}
	p.commits.clock = &p.clock
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.reset(0)
	p.publishKinds()
	p.err = fmt.Errorf("%w: starting", call.ErrUnavailable)
	return p
}

func setDefault(v *int, d int) {
	if *v <= 0 {
		*v = d
	}
}

// reset makes the state empty; the next change gets the number after lsn. The kinds stay published until those of the new state are: who needs one
// meanwhile is to be told that the space is unavailable, not that there is no such kind.
func (p *Partition) reset(lsn LSN) {
	p.e = engine.New(engine.Config{Partition: p.cfg.Address.Partition, Limits: p.cfg.Limits}, uint64(lsn))
	p.commits.empty(p.e)
}

// Close ends waiting calls with call.ErrClosed, commits what is pending and stops. It is idempotent.
func (p *Partition) Close() error {
	p.mu.Lock()
	p.end(call.ErrClosed)
	return nil
}

// Discard is Close for a space that is dropped: its calls end with call.ErrDropped. It returns call.ErrInvalidArgument,
// and changes nothing, while a transaction over several spaces has a part here, since the other spaces would not learn
// its outcome; and the error of a partition that does not serve.
func (p *Partition) Discard() error {
	p.mu.Lock()
	err := p.err
	if p.role == readOnly {
		err = nil // the state is there, and the room is needed
	}
	if err == nil && p.spans() {
		err = fmt.Errorf("%w: transactions over several spaces have parts in space %q: "+
			"end them, or wait until they have ended", call.ErrInvalidArgument, p.cfg.Address.Space)
	}
	if err != nil {
		p.mu.Unlock()
		return err
	}
	p.end(fmt.Errorf("%w: space %q was dropped", call.ErrDropped, p.cfg.Address.Space))
	return nil
}

// spans reports whether a transaction over several spaces has a part here that has not ended.
func (p *Partition) spans() bool {
	return len(p.e.Branches())+len(p.e.Prepared())+len(p.e.Decisions()) > 0 || p.e.Enlisted()
}

// end stops the partition, whose lock is held and is given back: calls end with err from now on.
func (p *Partition) end(err error) {
	if !p.become(closed, err) {
		p.mu.Unlock()
		p.done.Wait()
		return
	}
	p.endWaits(err)
	p.stopSessions()
	if p.timer != nil {
		p.timer.Stop()
	}
	p.commits.close()
	p.mu.Unlock()
	p.cancel()
	p.done.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.charged = p.cfg.Budget.Settle(p.charged, 0)
}

// kinds is what calls need to know of kinds without taking the lock. It is replaced as a whole.
type kinds struct {
	schemas []*template.Schema // by KindID-1
	dropped []bool             // likewise
	ids     map[string]call.KindID
}

// Schema returns the schema of a kind, also of one that was dropped, or nil. It takes no lock.
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

// expire is called when entries or registrations are due.
func (p *Partition) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = call.Forever
	if p.unreadable() == nil {
		p.e.Expire(p.clock.now())
		p.finish()
	}
}

// arm makes sure that expire is called in time.
func (p *Partition) arm() {
	if next := p.e.NextExpiry(); next < p.armed {
		p.armed = next
		p.timer.Reset(time.Duration(next - p.clock.now()))
	}
}

// Err returns why calls are refused, or nil while the partition serves.
func (p *Partition) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Hash returns the checksum of the state (engine.Hash), for tests and audits.
func (p *Partition) Hash() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.e.Hash()
}

// Stats is a partition's state in numbers.
type Stats struct {
	Entries       int // those that nobody sees included
	Ready         int // entries that are visible
	Apart         call.Apart
	Waiting       int // calls that wait
	Registrations int
	Sessions      int // of clients that repeat calls, present or awaited
	Events        int // that are kept in memory for listeners
	EventBytes    int // of their rows
	Txns          int
	Kinds         int
	Memory        int64 // bytes that the partition holds, as it charges them
	Prepared      int   // branches that wait to hear what has become of their transactions
	LSN, Durable  LSN
	Err           error  // why calls are refused; nil while serving
	Hold          error  // why calls that make the log longer are refused (Partition.Hold), or nil
	Held          uint64 // calls that were refused for that
}

// Stats returns the current numbers.
func (p *Partition) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	st := Stats{
		Entries: p.e.Entries(),
		Waiting: len(p.waits.byCall), Registrations: len(p.listeners), Sessions: len(p.attachments), Prepared: len(p.e.Prepared()),
		LSN: LSN(p.e.LSN()), Durable: p.durable(), Err: p.err,
		Hold: p.hold, Held: p.held,
	}
	st.Txns, st.Kinds, st.Memory = p.e.Transactions(), p.e.NumKinds(), p.charged
	st.Ready, st.Apart = p.e.Totals()
	for _, l := range p.listeners {
		st.Events += len(l.backlog.kept)
		st.EventBytes += l.backlog.bytes
	}
	return st
}
