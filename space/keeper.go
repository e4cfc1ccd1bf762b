package space

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Keeper renews leases in the background until they are lost, its context ends, or Stop. Its methods may be called
// concurrently.
type Keeper struct {
	duration time.Duration
	lost     chan Loss          // has room for every lease, so that sending never blocks
	done     chan struct{}      // closed when all goroutines have ended
	stop     context.CancelFunc // stops them

	mu    sync.Mutex
	first error // guarded by mu
}

// Loss is a lease that a Keeper could not keep.
type Loss struct {
	Lease *Lease
	Err   error // ErrLeaseEnded if the space said so; otherwise why renewing failed until the lease was over
}

// KeepAlive renews leases, which may belong to several spaces, for d whenever a third of what was granted has passed.
// When renewing fails, for another reason than that the lease is over, it is tried again until it is. The caller ends
// ctx, or stops the keeper.
func KeepAlive(ctx context.Context, d time.Duration, leases ...*Lease) *Keeper {
	ctx, stop := context.WithCancel(ctx)
	k := &Keeper{duration: d, lost: make(chan Loss, len(leases)), done: make(chan struct{}), stop: stop}
	var running sync.WaitGroup
	for _, group := range bySpace(leases) {
		// Each space has its own goroutine: one that does not answer must not cost the leases of another.
		running.Go(func() { k.run(ctx, group) })
	}
	go func() {
		defer close(k.done)
		running.Wait()
		stop()
		close(k.lost)
	}()
	return k
}

// Lost returns a channel of the leases that were lost: that have ended, or may have, since they could not be renewed in
// time. It has room for all of them, so that nothing waits for a reader, and is closed when the keeper has ended: after
// Stop, when its context is done, or when no lease is left.
func (k *Keeper) Lost() <-chan Loss { return k.lost }

// Err returns the reason for the loss of the first lease, or nil if none was lost.
func (k *Keeper) Err() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.first
}

// Stop stops the keeper and waits for it to end. The leases stay as they are. It is idempotent.
func (k *Keeper) Stop() {
	k.stop()
	<-k.done
}

func bySpace(leases []*Lease) map[Space][]*Lease {
	groups := make(map[Space][]*Lease)
	for _, l := range leases {
		groups[l.space] = append(groups[l.space], l)
	}
	return groups
}

// run keeps the leases of one space.
func (k *Keeper) run(ctx context.Context, leases []*Lease) {
	pause := min(k.duration, shortest(leases, (*Lease).Remaining)) / 3
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		left, err := k.renew(ctx, leases)
		if len(left) == 0 || ctx.Err() != nil {
			return
		}
		leases = left
		pause = min(k.duration, shortest(leases, (*Lease).Granted)) / 3
		if err != nil {
			pause = min(pause/3, shortest(leases, (*Lease).Remaining))
		}
		timer.Reset(pause)
	}
}

// shortest returns the least duration of the leases.
func shortest(leases []*Lease, duration func(*Lease) time.Duration) time.Duration {
	least := Forever
	for _, l := range leases {
		least = min(least, duration(l))
	}
	return least
}

// renew renews leases with one call and returns those that are not lost, and an error if the call has to be repeated.
func (k *Keeper) renew(ctx context.Context, leases []*Lease) (left []*Lease, err error) {
	// Without an answer, the first lease that is over ends the attempt, so that its loss is told in time. An attempt
	// for leases that are over already is worth a little while: the clock may have stood still, not the space.
	patience := max(shortest(leases, (*Lease).Remaining), k.duration/9)
	renewal, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = RenewAll(renewal, k.duration, leases...)
	if ctx.Err() != nil {
		return leases, nil
	}
	ended, partly := errors.AsType[*LeaseError](err)
	for _, l := range leases {
		switch lost := err; {
		case err == nil || partly && ended.Failed[l.id] == nil:
			left = append(left, l)
		case partly:
			k.tell(l, ended.Failed[l.id])
		case final(lost) || l.Remaining() == 0:
			k.tell(l, lost)
		default:
			left = append(left, l)
		}
	}
	if partly {
		err = nil
	}
	return left, err
}

// final reports whether repeating a call that failed with err is useless.
func final(err error) bool {
	return errors.Is(err, ErrLeaseEnded) || errors.Is(err, ErrClosed) || errors.Is(err, ErrInvalidArgument)
}

// tell reports a lost lease.
func (k *Keeper) tell(l *Lease, err error) {
	k.mu.Lock()
	if k.first == nil {
		k.first = err
	}
	k.mu.Unlock()
	k.lost <- Loss{l, err}
}
