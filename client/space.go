package client

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/codec"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Space is one space on the server: its partitions, of which most spaces have one. Its methods may be called
// concurrently.
type Space struct {
	client  *Client
	name    string
	only    *part                   // makes the calls as long as the space is not known to have several partitions
	several atomic.Pointer[several] // makes them then; otherwise nil
	closed  chan struct{}           // closed by Close
	once    sync.Once               // closes
	codecs  atomic.Pointer[codec.Cache]

	splitting sync.Mutex // held while several changes

	mu      sync.Mutex
	schemas map[string]*template.Schema // guarded by mu; the latest of each kind from any partition
	wanted  map[string]*template.Schema // guarded by mu; kinds registered by callers
}

var _ space.Space = (*Space)(nil)

func newSpace(c *Client, name string) *Space {
	s := &Space{
		client: c, name: name, closed: make(chan struct{}),
		schemas: map[string]*template.Schema{}, wanted: map[string]*template.Schema{},
	}
	s.codecs.Store(new(codec.Cache))
	return s
}

// caller makes the calls on a space: its only partition, or several.
type caller interface {
	Register(ctx context.Context, s *template.Schema) (*template.Schema, error)
	Schema(ctx context.Context, kind string) (*template.Schema, error)
	Drop(ctx context.Context, kind string) error
	Kinds(ctx context.Context) ([]space.KindInfo, error)
	Write(ctx context.Context, under txn.ID, entries []space.Draft) ([]space.Grant, error)
	Update(ctx context.Context, under txn.ID, ch space.Change) (version uint32, err error)
	Read(ctx context.Context, q space.Query) ([]space.Entry, error)
	Take(ctx context.Context, q space.Query) ([]space.Entry, error)
	Count(ctx context.Context, q space.Query) (int, error)
	Contents(ctx context.Context, q space.Query) iter.Seq2[space.Entry, error]
	Notify(ctx context.Context, q space.Query, on space.EventSet, lease time.Duration) (space.Registration, error)
	Registrations(ctx context.Context) ([]RegistrationInfo, error)
	Renew(ctx context.Context, lease time.Duration, ids ...space.LeaseID) ([]space.Grant, error)
	Cancel(ctx context.Context, ids ...space.LeaseID) error
	Begin(ctx context.Context, lease time.Duration) (*space.Txn, error)
	Commit(ctx context.Context, id txn.ID, entries []space.Draft) ([]space.Grant, error)
	Abort(ctx context.Context, id txn.ID) error
	Rollback(ctx context.Context, id txn.ID, keep ...space.LeaseID) error
	Defer(ctx context.Context, id txn.ID, entry space.LeaseID, delay time.Duration) error
	Outcome(ctx context.Context, id space.CallID) (space.Verdict, error)
	Snapshot(ctx context.Context) (position uint64, err error)
}

var (
	_ caller = (*part)(nil)
	_ caller = (*several)(nil)
)

// errMisrouted ends a call, which was not made, because the space has another number of partitions than it was made
// for. The Space knows the number by then, and makes the call again.
var errMisrouted = errors.New("client: the space has another number of partitions")

// caller returns what makes the calls now.
func (s *Space) caller() caller {
	if v := s.several.Load(); v != nil {
		return v
	}
	return s.only
}

// make makes a call, again if the number of partitions was not the one that was known.
func (s *Space) make(call func(c caller) error) error {
	for {
		if err := call(s.caller()); err != errMisrouted {
			return err
		}
	}
}

// split notes how many partitions the space has. What is known of another number is given up: the space was dropped,
// and made anew.
func (s *Space) split(n int) {
	s.splitting.Lock()
	defer s.splitting.Unlock()
	old := s.several.Load()
	switch {
	case old == nil && n == 1, old != nil && n == len(old.parts):
		return
	case n == 1:
		s.several.Store(nil)
	default:
		s.several.Store(newSeveral(s, n))
	}
	if old == nil {
		return
	}
	s.forgetSchemas()
	for _, p := range old.parts {
		p.retire()
	}
}

// at returns the partition with a number, as far as it is known.
func (s *Space) at(number uint16) *part {
	if v := s.several.Load(); v != nil && int(number) < len(v.parts) {
		return v.parts[number]
	}
	return s.only
}

// reach opens the space, wherever it is.
func (s *Space) reach(ctx context.Context) error {
	return s.make(func(caller) error { return s.at(0).reach(ctx) })
}

// Name returns the name of the space.
func (s *Space) Name() string { return s.name }

// Partitions returns how many partitions the space has: 1 as long as it does not exist. It blocks until the server has
// answered, or ctx ends.
func (s *Space) Partitions(ctx context.Context) (int, error) {
	if err := s.reach(ctx); err != nil {
		return 0, err
	}
	if v := s.several.Load(); v != nil {
		return len(v.parts), nil
	}
	return 1, nil
}

// Codecs implements space.Space.
func (s *Space) Codecs() *codec.Cache { return s.codecs.Load() }

func (s *Space) isClosed() bool { return isClosed(s.closed) }

// Close ends the space's waiting calls with space.ErrClosed and its registrations; calls in flight that may change
// something have a short time to learn their outcome. The Client stays open.
func (s *Space) Close() error {
	s.once.Do(func() {
		close(s.closed)
		for _, p := range s.client.allParts() {
			if p.space == s {
				p.end()
			}
		}
	})
	return nil
}

// end ends the calls of a closed space.
func (s *part) end() {
	for _, l := range s.client.topology.allLinks() {
		l.endCalls(s)
	}
}

// retire gives up a partition that is not there any more, since its space was dropped.
func (s *part) retire() {
	close(s.gone)
	for _, l := range s.client.topology.allLinks() {
		l.endRegistrations(s)
	}
	for _, lane := range s.client.lanes {
		for _, t := range s.txns.Missing(lane, nil) {
			t.Lose(errGone)
		}
	}
}

// want notes a kind that a caller has registered.
func (s *Space) want(schema *template.Schema) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted[schema.Kind] = schema
}

// registered returns the schema of a kind that a caller has registered, or nil.
func (s *Space) registered(kind string) *template.Schema {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wanted[kind]
}

// schema returns the latest schema of a kind that is known, or nil.
func (s *Space) schema(kind string) *template.Schema {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.schemas[kind]
}

// fields returns the fields of a kind, as far as they are known.
func (s *Space) fields(kind string) []template.Field {
	if known := s.schema(kind); known != nil {
		return known.Fields
	}
	return nil
}

// intern returns the known schema if it equals the given one, so that equal schemas are the same pointer.
func (s *Space) intern(schema *template.Schema) *template.Schema {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.schemas[schema.Kind]
	if old != nil && slices.Equal(old.Fields, schema.Fields) && slices.Equal(old.Supers, schema.Supers) {
		return old
	}
	s.schemas[schema.Kind] = schema
	return schema
}

// dropped forgets the schema of a kind that was dropped.
func (s *Space) dropped(schema *template.Schema) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if schema != nil && s.schemas[schema.Kind] == schema {
		delete(s.schemas, schema.Kind)
	}
}

// outdated forgets that a kind was registered, because the space has other fields for it now.
func (s *Space) outdated(schema *template.Schema) {
	s.mu.Lock()
	delete(s.wanted, schema.Kind)
	s.mu.Unlock()
	s.codecs.Store(new(codec.Cache))
}

// forgetSchemas follows the loss of everything that the space held, kinds included: Go types are registered again.
func (s *Space) forgetSchemas() {
	s.codecs.Store(new(codec.Cache))
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.schemas)
}
