// Package partition is the shell around the engine: one mutex, timers, waiting calls, and the group commit to the log.
package partition

import (
	"log/slog"
	"time"

	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
)

// Log makes groups of records durable, one at a time.
type Log interface {
	// Append stores msg and returns when it is durable at the log's level. The first record.HeaderSize bytes of msg are
	// room for the log's own header; records follow. After an error nothing more may be appended; whether msg was stored is unknown.
	Append(msg []byte) error
}

// Config configures a Partition. The zero value is a partition without a log.
type Config struct {
	Log          Log          // nil: every outcome is durable at once, nothing survives the process
	Logger       *slog.Logger // nil: silent
	MaxEntry     int          // bytes of one entry's row; 0: 1 MiB
	MaxCall      int          // bytes of all rows of one write; 0: 8 MiB
	MaxWaiting   int          // waiting calls; 0: no bound
	EventBacklog int          // events kept for a registration whose listener is away or slow; 0: 65536
}

// Partition is one engine with its log. All methods but Apply may be called concurrently. Calls that take a Caller
// never block: their outcome comes by Caller.Reply, in many cases before they return.
type Partition struct{}

// New returns an empty partition. Feed it with Apply before the first call if the log holds something, then Start it.
func New(cfg Config) *Partition { panic("to come") }

// Apply feeds one group of the log to a partition that was not started yet.
func (p *Partition) Apply(g record.Group) error { panic("to come") }

// Start begins to serve.
func (p *Partition) Start() { panic("to come") }

// Close ends waiting calls with engine.ErrClosed, commits what is pending and stops. It is idempotent.
func (p *Partition) Close() error { panic("to come") }

// Schema returns the schema of a kind, or nil. It takes no lock.
func (p *Partition) Schema(k engine.KindID) *template.Schema { panic("to come") }

// KindID returns the number of the named kind, or 0. It takes no lock.
func (p *Partition) KindID(name string) engine.KindID { panic("to come") }

// Register makes a kind known or extends it; Result.Count is its KindID, and Schema then returns its schema.
func (p *Partition) Register(c Caller, call uint64, s *template.Schema) { panic("to come") }

// Write stores all drafts or none. Result: Grants.
func (p *Partition) Write(c Caller, call uint64, drafts []engine.Draft) { panic("to come") }

// Find reads, or takes if q.Take is set. Without a match it waits: not at all if wait is 0, without end if wait is
// negative. q must stay unchanged until the reply. Result: Entries, or ErrNoMatch.
func (p *Partition) Find(c Caller, call uint64, q *engine.Query, wait time.Duration) {
	panic("to come")
}

// CancelWait ends a waiting Find with ErrCancelled. If the call has had its reply it does nothing.
func (p *Partition) CancelWait(c Caller, call uint64) { panic("to come") }

// Count counts the matches of q. Result: Count.
func (p *Partition) Count(c Caller, call uint64, q *engine.Query) { panic("to come") }

// Contents returns the next page of the matches of q: at most q.Max entries with identities above after, in rising order.
// Result: Entries, More.
func (p *Partition) Contents(c Caller, call uint64, q *engine.Query, after uint64) { panic("to come") }

// Notify registers c for events. Result: Grants (one), Seq. Events go to c until it is Gone.
func (p *Partition) Notify(c Caller, call uint64, q *engine.Query, lease int64) { panic("to come") }

// Attach makes c the listener of an existing registration and hands over again what it kept after event number after,
// with a Seq jump where it kept less. Result: Seq, the number of the last event, or ErrLeaseEnded.
func (p *Partition) Attach(c Caller, call uint64, registration, after uint64) { panic("to come") }

// Acknowledge lets the partition forget the events of a registration up to seq.
func (p *Partition) Acknowledge(registration, seq uint64) { panic("to come") }

// Renew renews the leases of entries and registrations. Result: Grants, Errs.
func (p *Partition) Renew(c Caller, call uint64, d int64, ids []uint64) { panic("to come") }

// Cancel ends leases. Result: Errs.
func (p *Partition) Cancel(c Caller, call uint64, ids []uint64) { panic("to come") }

// Kinds counts the visible entries of each kind. Result: Counts, indexed by KindID-1.
func (p *Partition) Kinds(c Caller, call uint64) { panic("to come") }

// Gone forgets c: its waits end without a reply, its registrations keep their events for whoever attaches next.
func (p *Partition) Gone(c Caller) { panic("to come") }
