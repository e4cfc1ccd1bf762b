package space

import (
	"context"
	"iter"
	"math"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/space/codec"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Forever is the lease that never ends, the default for entries.
const Forever time.Duration = math.MaxInt64

// MaxDelay is the longest delay that a call may ask for: a hundred years.
const MaxDelay = time.Duration(call.MaxDelay)

// Space is a tuple space: in this process (package memory, or Node.Space of package node), or on a server (package
// client). All methods may be called concurrently.
//
// Every call is linearizable: it takes effect at one instant between call and return, and what it returns is durable at
// the space's level. Calls that wait do so until ctx ends, or as long as the query allows. A call whose ctx ends
// returns the context's error and has changed nothing, or ErrOutcomeUnknown if that can no longer be known; if its
// entry was granted at that very moment it returns the entry and no error.
//
// These methods use rows and schemas. Programs use the typed functions of this package (Write, Read, Take, …) on top
// of them.
type Space interface {
	// Register announces a kind, or more fields of it, and returns the schema that the space now has for it, the order
	// of whose fields is the order of rows. Supers must be registered before. It returns ErrSchemaConflict if s
	// contradicts it. A kind that has no entries, nor have those that embed it, takes the classes of s instead.
	Register(ctx context.Context, s *template.Schema) (*template.Schema, error)

	// Schema returns the schema that the space has for a kind, nil if it has none. It may be asked often, and by an
	// implementation that remembers be answered with one that has got more fields since.
	Schema(ctx context.Context, kind string) (*template.Schema, error)

	// Drop forgets a kind that has no entries: its name is free for another schema. It returns ErrNoMatch if there is
	// no such kind, and ErrKindInUse if it has entries, those that are not visible included, or other kinds embed it.
	Drop(ctx context.Context, kind string) error

	// Write stores all entries or none, in order, and returns one grant each; under a transaction, unless the ID is
	// zero. It does not wait for matching calls. It returns ErrInvalidArgument for a negative lease or delay, an
	// unknown kind or no entries, ErrTooLarge beyond the limits, ErrTxnEnded.
	Write(ctx context.Context, under txn.ID, entries []Draft) ([]Grant, error)

	// Read returns copies of up to q.Max matching entries, oldest first unless q.Order says otherwise, as soon as there
	// is at least one; ErrNoMatch if its wait ends before. Under a transaction it locks them against takes of others;
	// it then returns ErrTxnEnded if the transaction has ended, or ends while the call waits, ErrDeadlock if it is
	// ended to resolve a deadlock, and ErrTooLarge if it may lock no more. With ErrTooLarge it may return entries: what
	// one call can return of those that are there (see Rest).
	Read(ctx context.Context, q Query) ([]Entry, error)

	// Take is Read that removes what it returns; under a transaction, for good once that commits. It returns up to
	// q.Max however many that are, if need be with the error of what it could not do as well.
	Take(ctx context.Context, q Query) ([]Entry, error)

	// Update gives an entry new fields in its place; identity, lease and age stay, and its version rises by one. It
	// returns the new version. Under a transaction it waits, as a take does, while others have the entry locked; it
	// then returns ErrDeadlock, too. Without one it returns ErrLocked at once. It returns ErrNoMatch if there is no
	// such entry, ErrVersionConflict if it has another version, ErrInvalidArgument if it is of another kind,
	// ErrTooLarge, ErrTxnEnded.
	Update(ctx context.Context, under txn.ID, c Change) (version uint32, err error)

	// Count returns how many visible entries match q; it never waits.
	Count(ctx context.Context, q Query) (int, error)

	// Contents yields every entry that matches q and is visible for the whole iteration exactly once; entries that come
	// or go meanwhile may be among them or not. It streams: neither side holds all of them. Under a transaction it
	// read-locks what it yields. An iteration that cannot be completed ends with an error.
	Contents(ctx context.Context, q Query) iter.Seq2[Entry, error]

	// Notify registers for an event for whatever on says happens to matching entries from now on; an empty set means
	// Written. lease bounds the registration; renew it for longer. Under a transaction (q.Txn) it also gets events of
	// what happens under it, and ends with it. It returns when the registration is durable.
	Notify(ctx context.Context, q Query, on EventSet, lease time.Duration) (Registration, error)

	// Begin begins a transaction, which is aborted when its lease ends. It returns ErrInvalidArgument for a negative
	// lease.
	Begin(ctx context.Context, lease time.Duration) (*Txn, error)

	// Commit writes entries, if there are any, under a transaction that began in this space, or in one that shares
	// transactions with it, and commits it: all or nothing. It returns a grant for each entry. It fails as Write does,
	// and the transaction is then as it was; or with ErrTxnEnded.
	Commit(ctx context.Context, id txn.ID, entries []Draft) ([]Grant, error)

	// Abort undoes everything that was done under a transaction and ends it. It returns ErrTxnEnded if that has ended
	// already.
	Abort(ctx context.Context, id txn.ID) error

	// Rollback undoes what was done under a transaction, in all spaces, but for the takes of the entries of this one
	// that are named; the transaction goes on. It returns ErrTxnEnded.
	Rollback(ctx context.Context, id txn.ID, keep ...LeaseID) error

	// Defer makes the commit of a transaction put an entry that it has taken back instead of removing it: with the same
	// identity, visible after delay (at most MaxDelay), with what is left of its lease from then on, and with one
	// attempt more. It returns ErrTxnEnded, and ErrNoMatch if the transaction has not taken it.
	Defer(ctx context.Context, id txn.ID, entry LeaseID, delay time.Duration) error

	// Renew asks for d more from now for every lease, of entries, registrations and transactions, and returns the
	// durations granted; for a delayed entry, d from when it becomes visible. If some have ended it renews the others
	// and returns a *LeaseError that names those; their grants are zero.
	Renew(ctx context.Context, d time.Duration, ids ...LeaseID) ([]Grant, error)

	// Cancel ends the leases at once: the entries are gone, the registrations end, the transactions are aborted. If
	// some had ended before it cancels the others and returns a *LeaseError that names those.
	Cancel(ctx context.Context, ids ...LeaseID) error

	// Outcome tells what has become of a call or a transaction; see the function Outcome. It blocks until that is
	// known.
	Outcome(ctx context.Context, id CallID) (Verdict, error)

	// Kinds lists the kinds of the space with their schemas and the numbers of visible entries, by name.
	Kinds(ctx context.Context) ([]KindInfo, error)

	// Codecs returns the cache of Go types that this space has met.
	Codecs() *codec.Cache

	// Close releases what the value holds: an in-process space is gone with it, a client's connections are closed.
	// Waiting calls end with ErrClosed. It is idempotent.
	Close() error
}

// Draft is an entry to be written.
type Draft struct {
	Kind   string
	Schema *template.Schema // that gives the order of Row, as returned by Register; nil: the current schema of the kind
	Row    template.Row     // not retained after the call
	Lease  time.Duration    // Forever, or less; 0 is valid and ends at once
	Delay  time.Duration    // until it becomes visible, and its lease begins to run; 0: at once
}

// Change is new fields for an existing entry.
type Change struct {
	ID      LeaseID
	Version uint32           // required version; 0: any
	Kind    string           // the exact kind of the entry
	Schema  *template.Schema // as in Draft
	Row     template.Row
}

// Query selects the entries of a call, and how long it waits for one. It needs at least one template. A call that does
// not support a part that is set returns ErrInvalidArgument: see Check.
type Query struct {
	Templates []*template.Template // an entry matches if one of them does
	Order     []template.Order     // empty: oldest first; otherwise there is exactly one template, with a kind
	ID        LeaseID              // only this entry, if not 0, and only if it matches; no wait if it does not exist
	Max       int                  // maximum number of entries; 0 means 1, and all for Contents. A count counts all
	Wait      time.Duration        // maximum wait for a match; 0 means until the context ends
	NoWait    bool                 // do not wait at all, regardless of Wait
	IfExists  bool                 // do not wait for entries that do not exist yet, only for locked ones
	// Take only: take each entry under its own transaction, begun for it (Entry.Txn). Excludes Txn
	Begin  bool
	Lease  time.Duration // of the transactions that Begin begins
	Txn    txn.ID        // the transaction under which the call is made; zero: none
	Held   bool          // Read, Count and Contents only: entries that transactions have taken; see option Held
	Hidden *int          // Read and Contents only: receives the number of locked matches; see option Hidden

	// Claim makes a Read under a transaction find only what a take could, and wait as one does: the transaction may
	// then update or take what it has read, and no other can claim or take it. Others may read it.
	Claim bool
}

// KindInfo describes one kind of a space.
type KindInfo struct {
	Schema *template.Schema

	// Entries of exactly this kind.
	Count   int // that are visible
	Held    int // taken by an open transaction, which the option Held selects, or changed by one
	Delayed int // not visible yet: written with a delay, or put back for a later attempt
}
