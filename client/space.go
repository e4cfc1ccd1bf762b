package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/impl"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/space/codec"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Space is one space on the server. Its methods may be called concurrently.
type Space struct {
	client *Client
	at     txn.Address
	handle uint64                // of the partition on every connection
	place  atomic.Pointer[place] // changed by the client's topology
	closed chan struct{}         // closed by Close
	once   sync.Once             // closes
	codecs atomic.Pointer[codec.Cache]
	txns   impl.OpenTxns

	mu          sync.Mutex
	schemas     map[string]*template.Schema // guarded by mu; the latest of each kind from any server
	wanted      map[string]*template.Schema // guarded by mu; kinds registered by callers
	incarnation string                      // guarded by mu
}

var _ space.Space = (*Space)(nil)

// anyLink returns one of the links to the node where s is.
func (s *Space) anyLink() *link {
	links := s.place.Load().node.links
	if len(links) == 1 {
		return links[0]
	}
	return links[rand.IntN(len(links))]
}

// linkOf returns the link of a lane to the node where s is.
func (s *Space) linkOf(l *lane) *link { return s.place.Load().node.links[l.index] }

func newSpace(c *Client, at txn.Address, handle uint64) *Space {
	s := &Space{
		client: c, at: at, handle: handle, closed: make(chan struct{}),
		schemas: map[string]*template.Schema{}, wanted: map[string]*template.Schema{},
	}
	s.codecs.Store(new(codec.Cache))
	return s
}

// Name returns the name of the space.
func (s *Space) Name() string { return s.at.Space }

// Codecs implements space.Space.
func (s *Space) Codecs() *codec.Cache { return s.codecs.Load() }

func (s *Space) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// Register implements space.Space.
func (s *Space) Register(ctx context.Context, schema *template.Schema) (*template.Schema, error) {
	c := newCall(s, wire.Register)
	defer c.free()
	c.schema = schema
	r, err := c.do(ctx)
	if errors.Is(err, call.ErrUnknownKind) {
		err = fmt.Errorf("%w: %w", space.ErrInvalidArgument, err)
	}
	if err != nil {
		return nil, err
	}
	merged, err := c.schemaOf(r.Count)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted[merged.Kind] = merged
	return merged, nil
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

// Schema implements space.Space.
func (s *Space) Schema(ctx context.Context, kind string) (*template.Schema, error) {
	s.mu.Lock()
	known := s.schemas[kind]
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	c := newCall(s, wire.Schema)
	defer c.free()
	c.name = kind
	r, err := c.do(ctx)
	if errors.Is(err, call.ErrUnknownKind) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return c.schemaOf(r.Count)
}

// Drop implements space.Space.
func (s *Space) Drop(ctx context.Context, kind string) error {
	c := newCall(s, wire.Drop)
	defer c.free()
	c.name = kind
	_, err := c.do(ctx)
	return err
}

// Kinds implements space.Space.
func (s *Space) Kinds(ctx context.Context) ([]space.KindInfo, error) {
	c := newCall(s, wire.Kinds)
	defer c.free()
	r, err := c.do(ctx)
	if err != nil {
		return nil, err
	}
	var kinds []space.KindInfo
	for i, n := range r.Counts {
		if n < 0 {
			continue // it was dropped
		}
		schema, err := c.schemaOf(i + 1)
		if err != nil {
			return nil, err
		}
		kinds = append(kinds,
			space.KindInfo{Schema: schema, Count: n, Held: r.Apart[i].Held, Delayed: r.Apart[i].Delayed})
	}
	slices.SortFunc(kinds, func(a, b space.KindInfo) int { return strings.Compare(a.Schema.Kind, b.Schema.Kind) })
	return kinds, nil
}

// Close ends the space's waiting calls with space.ErrClosed and its registrations; calls in flight that may change
// something have a short time to learn their outcome. The Client stays open.
func (s *Space) Close() error {
	s.once.Do(func() {
		close(s.closed)
		for _, l := range s.client.topology.allLinks() {
			l.endCalls(s)
		}
	})
	return nil
}

// Write implements space.Space.
func (s *Space) Write(ctx context.Context, under txn.ID, entries []space.Draft) ([]space.Grant, error) {
	if len(entries) == 0 {
		return nil, invalid("there is nothing to write")
	}
	return s.write(ctx, wire.Write, under, entries)
}

// write makes a call that writes entries.
func (s *Space) write(ctx context.Context, op wire.Type, under txn.ID, entries []space.Draft) ([]space.Grant, error) {
	if len(entries) > wire.MaxDrafts {
		return nil, fmt.Errorf("%w: %d entries in one call; a server allows %d, or what its --max-txn-entries says: "+
			"write them in parts", space.ErrTooLarge, len(entries), call.DefaultTxnEntries)
	}
	for i := range entries {
		if entries[i].Lease < 0 {
			return nil, invalid("lease %v is negative", entries[i].Lease)
		}
		if entries[i].Delay < 0 {
			return nil, invalid("delay %v is negative", entries[i].Delay)
		}
	}
	c := newCall(s, op)
	defer c.free()
	c.txn, c.drafts = under, entries
	if op == wire.Commit {
		c.lane = s.beganOn(under)
	}
	r, err := c.do(ctx)
	if err != nil {
		return nil, err
	}
	return grantsOf(r, len(entries))
}

// Update implements space.Space.
func (s *Space) Update(ctx context.Context, under txn.ID, ch space.Change) (version uint32, err error) {
	return impl.Update(ctx, s, under, ch.ID, func() (uint32, error) { return s.update(ctx, under, ch) })
}

// update is Update that does not wait.
func (s *Space) update(ctx context.Context, under txn.ID, ch space.Change) (version uint32, err error) {
	c := newCall(s, wire.Update)
	defer c.free()
	c.txn, c.change = under, &ch
	r, err := c.do(ctx)
	return r.Version, err
}

// Renew implements space.Space.
func (s *Space) Renew(ctx context.Context, lease time.Duration, ids ...space.LeaseID) ([]space.Grant, error) {
	if lease < 0 {
		return nil, invalid("lease %v is negative", lease)
	}
	c := newCall(s, wire.Renew)
	defer c.free()
	c.lease = int64(lease)
	r, failed, err := s.doLeases(ctx, c, ids)
	if err != nil {
		return nil, err
	}
	grants, err := grantsOf(r, len(ids))
	return grants, cmp.Or(err, failed)
}

// Cancel implements space.Space.
func (s *Space) Cancel(ctx context.Context, ids ...space.LeaseID) error {
	c := newCall(s, wire.Cancel)
	defer c.free()
	_, failed, err := s.doLeases(ctx, c, ids)
	return cmp.Or(err, failed)
}

// doLeases makes a call about leases. failed is the *space.LeaseError of those that had ended, if any.
func (s *Space) doLeases(
	ctx context.Context, c *pendingCall, ids []space.LeaseID,
) (r *call.Result, failed, err error) {
	if err := call.CheckLeases(len(ids)); err != nil {
		return nil, nil, err
	}
	c.ids = ids
	if r, err = c.do(ctx); err != nil {
		return nil, nil, err
	}
	lost := map[space.LeaseID]error{}
	for i, err := range r.Errs {
		if err != nil && i < len(ids) {
			lost[ids[i]] = err
		}
	}
	if len(lost) > 0 {
		failed = &space.LeaseError{Failed: lost}
	}
	return r, failed, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", space.ErrInvalidArgument, fmt.Sprintf(format, args...))
}
