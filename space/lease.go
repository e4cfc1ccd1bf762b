package space

import (
	"context"
	"fmt"
	"time"
)

// LeaseID identifies a leased thing within its space, an entry or a registration.
type LeaseID uint64

// Grant is a lease as the space gave it.
type Grant struct {
	ID      LeaseID
	Granted time.Duration // at most what was asked for; Forever
}

// Lease keeps an entry or a registration alive until it ends. Its methods may be called concurrently.
type Lease struct {
	space Space
	id    LeaseID
	expiry
}

// LeaseError is returned by bulk renew and cancel when some leases had ended; the others were done.
// errors.Is finds ErrLeaseEnded in it.
type LeaseError struct {
	Failed map[LeaseID]error
}

func (e *LeaseError) Error() string {
	for id, err := range e.Failed {
		if len(e.Failed) == 1 {
			return fmt.Sprintf("lease %d: %v", id, err)
		}
	}
	return fmt.Sprintf("%d leases: %v", len(e.Failed), ErrLeaseEnded)
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

// Renew asks for d from now and returns what was granted. It never shortens the lease unless d ends sooner.
// A failed renew leaves the old expiry; ErrLeaseEnded says that the lease is over.
func (l *Lease) Renew(ctx context.Context, d time.Duration) (time.Duration, error) {
	sent := time.Now()
	g, err := l.space.Renew(ctx, d, l.id)
	if err != nil {
		return 0, err
	}
	l.set(sent, g[0].Granted)
	return g[0].Granted, nil
}

// Cancel ends the lease at once: an entry is removed, a registration ends. It returns ErrLeaseEnded if it had ended before.
func (l *Lease) Cancel(ctx context.Context) error { return l.space.Cancel(ctx, l.id) }
