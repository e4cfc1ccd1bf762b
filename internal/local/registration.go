package local

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/impl"
	"github.com/gospaces/gospaces/space"
)

// registration is a registration with a space in this process. Its events come through a feed, and through another one
// whenever the listener was too slow for that.
type registration struct {
	space  *Space
	lease  *space.Lease
	start  uint64
	closed chan struct{} // closed by Close
	once   sync.Once     // closes closed

	turn  chan struct{} // one token: held by the Next that owns what follows
	feed  *feed
	batch []fed  // taken from feed and not yet returned
	last  uint64 // number of the last event returned, or reported as lost
	acked uint64 // number of the last event that the partition may forget
}

// Notify implements space.Space.
func (s *Space) Notify(ctx context.Context, q space.Query, on space.EventSet,
	lease time.Duration,
) (space.Registration, error) {
	if err := impl.Check(&q, impl.Notify); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f := newFeed() // its query belongs to the registration from now on
	sent := time.Now()
	err := s.query(f.caller, q, func() error {
		s.partition.Notify(f, f.next(), &f.query, call.EventSet(on), int64(lease))
		return f.await()
	})
	if err != nil {
		return nil, err
	}
	r := &registration{
		space:  s,
		lease:  f.out.leases()[0].Lease(s, sent),
		start:  f.out.seq,
		last:   f.out.seq,
		acked:  f.out.seq,
		feed:   f,
		closed: make(chan struct{}),
		turn:   make(chan struct{}, 1),
	}
	r.turn <- struct{}{}
	return r, nil
}

// Lease implements space.Registration.
func (r *registration) Lease() *space.Lease { return r.lease }

// Start implements space.Registration.
func (r *registration) Start() uint64 { return r.start }

// Next implements space.Registration.
func (r *registration) Next(ctx context.Context) (space.Event, error) {
	if err := r.await(ctx, r.turn); err != nil {
		return space.Event{}, err
	}
	defer func() { r.turn <- struct{}{} }()
	if err := r.ended(); err != nil {
		return space.Event{}, err
	}
	for len(r.batch) == 0 {
		if err := r.fill(ctx); err != nil {
			return space.Event{}, err
		}
	}
	return r.pop()
}

// ended returns the error of a registration that was closed, or whose space was.
func (r *registration) ended() error {
	select {
	case <-r.closed:
		return space.ErrClosed
	case <-r.space.closed:
		return r.space.why
	default:
		return nil
	}
}

// await waits for c. It returns an error if ctx has ended, or the registration or its space was closed.
func (r *registration) await(ctx context.Context, c <-chan struct{}) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-r.closed:
		return space.ErrClosed
	case <-r.space.closed:
		return r.space.why
	case <-ctx.Done():
		return ctx.Err()
	case <-c:
		return nil
	}
}

// pop returns the first event of the batch. The end of the registration stays in the batch.
func (r *registration) pop() (space.Event, error) {
	switch f := &r.batch[0]; f.typ {
	case space.Gap:
		r.batch = r.batch[1:]
		return r.gap(f.seq, f.cause), nil
	case theEnd:
		return space.Event{}, space.ErrLeaseEnded
	default:
		r.last = f.seq
		r.batch = r.batch[1:]
		return space.Event{Type: f.typ, Seq: f.seq, Entry: space.Entry{
			ID: space.LeaseID(f.found.id), Schema: r.space.partition.Schema(f.found.kind), Row: f.row,
			Version: f.found.version, Attempts: f.found.attempts,
		}}, nil
	}
}

// gap reports the events up to seq as lost; or, after a restart, that something may be missing before it.
func (r *registration) gap(seq uint64, why space.GapCause) space.Event {
	e := space.Event{Type: space.Gap, Seq: seq, Cause: why}
	if why != space.GapRestart {
		e.Missed = seq - r.last
	}
	r.last = seq
	return e
}

// fill gets the next batch from the feed, or waits until there may be one.
func (r *registration) fill(ctx context.Context) error {
	batch, stale := r.feed.take()
	r.batch = batch
	if len(batch) == 0 || r.last-r.acked >= feedSize/2 {
		r.acknowledge()
	}
	switch {
	case len(batch) > 0:
		return nil
	case stale:
		return r.attach()
	}
	return r.await(ctx, r.feed.wake)
}

// acknowledge lets the partition forget what was returned. It takes the partition's lock, so it is not done for each
// event of many.
func (r *registration) acknowledge() {
	if r.acked < r.last {
		r.acked = r.last
		r.space.partition.Acknowledge(uint64(r.lease.ID()), r.last)
	}
}

// attach replaces a stale feed by a new one.
func (r *registration) attach() error {
	old, f := r.feed, newFeed()
	r.space.partition.Attach(f, f.next(), uint64(r.lease.ID()), r.last)
	err := f.await()
	if errors.Is(err, space.ErrLeaseEnded) {
		r.batch = []fed{{typ: theEnd}}
		return nil
	}
	if err != nil {
		return err
	}
	r.space.partition.Gone(old)
	r.feed = f
	return nil
}

// Close implements space.Registration.
func (r *registration) Close() error {
	r.once.Do(func() { close(r.closed) })
	err := r.lease.Cancel(context.Background())
	r.space.partition.Acknowledge(uint64(r.lease.ID()), math.MaxUint64)
	if errors.Is(err, space.ErrLeaseEnded) || errors.Is(err, space.ErrClosed) || errors.Is(err, space.ErrDropped) {
		return nil
	}
	return err
}

// String returns the identity of the registration.
func (r *registration) String() string { return fmt.Sprint("registration ", r.lease.ID()) }
