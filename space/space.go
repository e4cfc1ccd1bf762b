package space

import (
	"context"
	"iter"
	"math"
	"time"

	"github.com/gospaces/gospaces/template"
)

// Forever is the lease that never ends, the default for entries.
const Forever time.Duration = math.MaxInt64

// Space is a tuple space: in process (New), or on a server (package client). All methods may be called concurrently.
//
// Every call is linearizable: it takes effect at one instant between call and return, and what it returns is durable at
// the space's level. Calls that wait do so until ctx ends unless the query says less. A call whose ctx ends returns
// the context's error and has changed nothing, or ErrOutcomeUnknown when that cannot be learned any more; if its
// entry was granted at that same moment it returns the entry and no error.
//
// These methods speak of rows and schemas. Programs use the typed functions of this package (Write, Read, Take, …) on top of them.
type Space interface {
	// Register announces a kind, or more fields of it, and returns the schema that the space now has for it, the order
	// of whose fields is the order of rows. Supers must be registered before. It returns ErrSchemaConflict if s contradicts it.
	Register(ctx context.Context, s *template.Schema) (*template.Schema, error)

	// Write stores all entries or none, in order, and returns one grant each. It does not wait for matching calls.
	// It returns ErrInvalidArgument for a negative lease, an unknown kind or no entries, ErrTooLarge beyond the limits.
	Write(ctx context.Context, entries []Draft) ([]Grant, error)

	// Read returns copies of up to q.Max matching entries, oldest first unless q.Order says otherwise, as soon as there is at least one;
	// ErrNoMatch if its wait ends before.
	Read(ctx context.Context, q Query) ([]Entry, error)

	// Take is Read that removes what it returns.
	Take(ctx context.Context, q Query) ([]Entry, error)

	// Count returns how many visible entries match q; it never waits.
	Count(ctx context.Context, q Query) (int, error)

	// Contents yields every entry that matches q and is visible for the whole iteration exactly once; entries that come
	// or go meanwhile may be among them or not. It streams: neither side holds all of them. An iteration that
	// cannot be completed ends with an error.
	Contents(ctx context.Context, q Query) iter.Seq2[Entry, error]

	// Notify registers for an event for every matching entry that is written from now on. lease bounds the
	// registration; renew it for longer. It returns when the registration is durable.
	Notify(ctx context.Context, q Query, lease time.Duration) (Registration, error)

	// Renew asks for d more from now for every lease and returns the durations granted. If some have ended it renews the
	// others and returns a *LeaseError that names those; their grants are zero.
	Renew(ctx context.Context, d time.Duration, ids ...LeaseID) ([]Grant, error)

	// Cancel ends the leases at once: the entries are gone, the registrations end. If some had ended before it cancels the
	// others and returns a *LeaseError that names those.
	Cancel(ctx context.Context, ids ...LeaseID) error

	// Kinds lists the kinds of the space with their schemas and the numbers of visible entries, by name.
	Kinds(ctx context.Context) ([]KindInfo, error)

	// Codecs returns the cache of Go types that this space has met.
	Codecs() *Codecs

	// Close releases what the value holds: an in-process space is gone with it, a client's connections are closed.
	// Waiting calls end with ErrClosed. It is idempotent.
	Close() error
}

// Draft is an entry to be written.
type Draft struct {
	Kind  string
	Row   template.Row  // in the order of the registered schema; not kept after the call
	Lease time.Duration // Forever, or less; 0 is legal and ends at once
}

// Query says which entries a call is about, and how long it waits for one. It needs a template at least.
type Query struct {
	Templates []*template.Template // an entry matches if one of them does
	Order     []template.Order     // empty: oldest first; otherwise there is exactly one template, with a kind
	Max       int                  // at most so many entries; 0 means 1
	Wait      time.Duration        // wait for a match at most so long; 0 means until the context ends
	NoWait    bool                 // do not wait at all
	IfExists  bool                 // do not wait for entries that are not there yet, only for locked ones
}

// KindInfo describes one kind of a space.
type KindInfo struct {
	Schema *template.Schema
	Count  int // visible entries of exactly this kind
}

var _ Space = (*Local)(nil)
