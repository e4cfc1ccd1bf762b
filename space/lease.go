package space

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// LeaseID identifies something leased in its space: an entry, a registration or a transaction. A space never issues one
// twice, so it may be stored, and passed to other programs; 0 is none.
type LeaseID uint64

// Grant is a granted lease.
type Grant struct {
	ID LeaseID
	// at most what was requested; Forever. For a delayed entry it starts when the entry becomes visible
	Granted time.Duration
}

// Lease keeps an entry or a registration alive until it ends. Its methods may be called concurrently.
//
// Its times count from when the request for it was sent, so that its holder stops trusting it before the space does.
type Lease struct {
	space Space
	id    LeaseID
	start time.Time // when it starts to run; zero, unless the entry is delayed

	mu      sync.Mutex
	sent    time.Time     // guarded by mu
	granted time.Duration // guarded by mu
}

// Lease returns the lease that sp granted for a request which was sent at that time, by the local clock. Callers of the
// methods of Space, and implementations of it, make leases so.
func (g Grant) Lease(sp Space, sent time.Time) *Lease {
	l := new(Lease)
	g.begin(l, sp, sent, 0)
	return l
}

// begin sets l to the lease that sp granted for an entry with a delay, or for anything else without.
func (g Grant) begin(l *Lease, sp Space, sent time.Time, delay time.Duration) {
	l.space, l.id, l.sent, l.granted = sp, g.ID, sent, g.Granted
	if delay > 0 {
		l.start = sent.Add(delay)
	}
}

// LeaseError is returned by bulk renew and cancel if some leases had ended; the others were renewed or cancelled.
// errors.Is finds ErrLeaseEnded in it.
type LeaseError struct {
	Failed map[LeaseID]error
}

// Error names the first ten leases.
func (e *LeaseError) Error() string {
	ids := slices.Sorted(maps.Keys(e.Failed))
	if len(ids) == 1 {
		return fmt.Sprintf("lease %d: %v", ids[0], e.Failed[ids[0]])
	}
	var names []string
	for _, id := range ids[:min(len(ids), 10)] {
		names = append(names, fmt.Sprint(uint64(id)))
	}
	if len(ids) > len(names) {
		names = append(names, "…")
	}
	return fmt.Sprintf("%d leases (%s): %v", len(ids), strings.Join(names, ", "), ErrLeaseEnded)
}

// Unwrap returns the failures, so that errors.Is and errors.As look into each.
func (e *LeaseError) Unwrap() []error {
	errs := make([]error, 0, len(e.Failed))
	for _, err := range e.Failed {
		errs = append(errs, err)
	}
	return errs
}

// ID returns the identity of the leased thing, for bulk calls and for other clients.
func (l *Lease) ID() LeaseID { return l.id }

// Granted returns the duration that the space granted last.
func (l *Lease) Granted() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.granted
}

// Expires returns when the lease ends unless it is renewed; for Forever, centuries from now.
func (l *Lease) Expires() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.start.After(l.sent) {
		return l.start.Add(l.granted)
	}
	return l.sent.Add(l.granted)
}

// Remaining returns the rest of the lease as far as its holder knows: Forever, or 0 once it is over.
func (l *Lease) Remaining() time.Duration {
	if l.Granted() == Forever {
		return Forever
	}
	return max(0, time.Until(l.Expires()))
}

// Renew asks for d from now, or from when a delayed entry becomes visible, and returns what was granted: d, or less
// where the space caps leases. A shorter d shortens the lease. It blocks until the space has answered, or ctx ends.
// ErrLeaseEnded says that the lease is over; ErrInvalidArgument that d is not positive; after any other error the lease
// ends when it would have, or as asked for. KeepAlive renews by itself.
func (l *Lease) Renew(ctx context.Context, d time.Duration) (time.Duration, error) {
	sent := time.Now()
	g, err := l.space.Renew(ctx, d, l.id)
	if err != nil {
		return 0, err
	}
	l.renewed(sent, g[0].Granted)
	return g[0].Granted, nil
}

// RenewAll renews leases of one space for d with one call. If some have ended it renews the others and returns a
// *LeaseError that names those; after any other error all are as they were, as far as their holder knows. It returns
// ErrInvalidArgument for leases of several spaces, and nil if there are none. Concurrent calls for the same lease are
// safe.
func RenewAll(ctx context.Context, d time.Duration, leases ...*Lease) error {
	if len(leases) == 0 {
		return nil
	}
	sp := leases[0].space
	ids := make([]LeaseID, len(leases))
	for i, l := range leases {
		if l.space != sp {
			return invalid("leases of several spaces cannot be renewed by one call")
		}
		ids[i] = l.id
	}
	sent := time.Now()
	grants, err := sp.Renew(ctx, d, ids...)
	ended, partly := errors.AsType[*LeaseError](err)
	if err != nil && !partly {
		return err
	}
	for i, l := range leases {
		if !partly || ended.Failed[l.id] == nil {
			l.renewed(sent, grants[i].Granted)
		}
	}
	return err
}

// renewed records a grant for a request sent at that time, unless a later request was answered before.
func (l *Lease) renewed(sent time.Time, granted time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !sent.Before(l.sent) {
		l.sent, l.granted = sent, granted
	}
}

// Cancel ends the lease at once: an entry is removed, a registration ends. It returns ErrLeaseEnded if it had ended
// before.
func (l *Lease) Cancel(ctx context.Context) error { return l.space.Cancel(ctx, l.id) }
