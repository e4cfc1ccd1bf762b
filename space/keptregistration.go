package space

import (
	"context"
	"sync"
	"time"
)

// keptRegistration is a registration whose lease is renewed, for as long as it is not closed. There may be thousands:
// each has a timer, not a goroutine.
type keptRegistration struct {
	Registration
	duration time.Duration

	mu     sync.Mutex
	timer  *time.Timer // guarded by mu
	closed bool        // guarded by mu
}

// keepRegistration returns reg with a lease that is renewed for d whenever a third of that has passed.
func keepRegistration(reg Registration, d time.Duration) *keptRegistration {
	r := &keptRegistration{Registration: reg, duration: d}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timer = time.AfterFunc(min(d, reg.Lease().Granted())/3, r.renew)
	return r
}

// renew renews the lease once, and sets the timer for the next time. A failure is not the end: only the space knows
// whether the lease is over.
func (r *keptRegistration) renew() {
	ctx, cancel := context.WithTimeout(context.Background(), r.duration/3)
	defer cancel()
	_, err := r.Lease().Renew(ctx, r.duration)
	pause := min(r.duration, r.Lease().Granted()) / 3
	if err != nil {
		pause = r.duration / 20
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || err != nil && final(err) {
		return
	}
	r.timer.Reset(pause)
}

// Close implements Registration.
func (r *keptRegistration) Close() error {
	r.mu.Lock()
	r.closed = true
	r.timer.Stop()
	r.mu.Unlock()
	return r.Registration.Close()
}
