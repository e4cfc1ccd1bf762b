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
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// part is one partition of a space, which has a known number of them. Its methods may be called concurrently. It makes
// the calls of space.Space there; its Space makes those that concern several partitions.
type part struct {
	space  *Space
	client *Client
	at     txn.Address
	of     int                   // the number of partitions of the space
	handle uint64                // on every connection
	place  atomic.Pointer[place] // changed by the client's topology
	gone   chan struct{}         // closed when the space has another number of partitions
	txns   impl.OpenTxns

	mu          sync.Mutex
	incarnation string // guarded by mu
}

// anyLink returns one of the links to the node where s is.
func (s *part) anyLink() *link {
	links := s.place.Load().node.links
	if len(links) == 1 {
		return links[0]
	}
	return links[rand.IntN(len(links))]
}

// linkOf returns the link of a lane to the node where s is.
func (s *part) linkOf(l *lane) *link { return s.place.Load().node.links[l.index] }

// over returns the reason why calls to s are no longer made; nil if they are.
func (s *part) over() error {
	switch {
	case isClosed(s.gone):
		return errMisrouted
	case s.space.isClosed():
		return space.ErrClosed
	}
	return nil
}

// isClosed reports whether a channel to which nothing is sent is closed. It takes no lock, as asking for two channels
// in one select would.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (s *part) isClosed() bool { return s.over() != nil }

// Register implements space.Space.
func (s *part) Register(ctx context.Context, schema *template.Schema) (*template.Schema, error) {
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
	s.space.want(merged)
	return merged, nil
}

// Schema implements space.Space.
func (s *part) Schema(ctx context.Context, kind string) (*template.Schema, error) {
	if known := s.space.schema(kind); known != nil {
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
func (s *part) Drop(ctx context.Context, kind string) error {
	c := newCall(s, wire.Drop)
	defer c.free()
	c.name = kind
	_, err := c.do(ctx)
	return err
}

// Kinds implements space.Space.
func (s *part) Kinds(ctx context.Context) ([]space.KindInfo, error) {
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

// Write implements space.Space.
func (s *part) Write(ctx context.Context, under txn.ID, entries []space.Draft) ([]space.Grant, error) {
	if len(entries) == 0 {
		return nil, invalid("there is nothing to write")
	}
	return s.write(ctx, wire.Write, under, entries)
}

// write makes a call that writes entries.
func (s *part) write(ctx context.Context, op wire.Type, under txn.ID, entries []space.Draft) ([]space.Grant, error) {
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
func (s *part) Update(ctx context.Context, under txn.ID, ch space.Change) (version uint32, err error) {
	return impl.Update(ctx, s, under, ch.ID, func() (uint32, error) { return s.update(ctx, under, ch) })
}

// update is Update that does not wait.
func (s *part) update(ctx context.Context, under txn.ID, ch space.Change) (version uint32, err error) {
	c := newCall(s, wire.Update)
	defer c.free()
	c.txn, c.change = under, &ch
	r, err := c.do(ctx)
	return r.Version, err
}

// Renew implements space.Space.
func (s *part) Renew(ctx context.Context, lease time.Duration, ids ...space.LeaseID) ([]space.Grant, error) {
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
func (s *part) Cancel(ctx context.Context, ids ...space.LeaseID) error {
	c := newCall(s, wire.Cancel)
	defer c.free()
	_, failed, err := s.doLeases(ctx, c, ids)
	return cmp.Or(err, failed)
}

// doLeases makes a call about leases. failed is the *space.LeaseError of those that had ended, if any.
func (s *part) doLeases(
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
