package work

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/space"
)

// keeper keeps the transactions of all tasks of a loop alive, with one call for all of them. Tasks come and go
// meanwhile, which a space.Keeper cannot do. Its goroutine, run, owns it.
type keeper struct {
	lease   time.Duration  // asked for
	tasks   func() []*task // returns those in hand; may be called by any goroutine
	wake    chan struct{}  // one slot, filled when there are tasks again
	granted time.Duration  // of leases asked for; 0 before the first answer
}

func newKeeper(lease time.Duration, tasks func() []*task) *keeper {
	return &keeper{lease: lease, tasks: tasks, wake: make(chan struct{}, 1)}
}

// look makes the keeper look for tasks. It may be called concurrently.
func (k *keeper) look() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run renews every lease when between one third and seven twelfths of it have passed, so that what is left is time
// enough to try again, until ctx ends. The first one it renews at once, to learn how much the space grants.
func (k *keeper) run(ctx context.Context) {
	for k.await(ctx) {
		var err error
		if due := k.due(); len(due) > 0 {
			err = k.renew(ctx, due)
		}
		_ = backoff.Sleep(ctx, k.pause(err)) // if it returns early ctx has ended
	}
}

// await waits until there are tasks, or ctx ends; then it returns false.
func (k *keeper) await(ctx context.Context) bool {
	for ctx.Err() == nil {
		if len(k.tasks()) > 0 {
			return true
		}
		select {
		case <-k.wake:
		case <-ctx.Done():
		}
	}
	return false
}

// pause returns the time until leases have to be looked at again.
func (k *keeper) pause(err error) time.Duration {
	switch {
	case k.granted == 0:
		return min(k.lease/12, patience)
	case err != nil:
		return k.granted / 12
	}
	return k.granted / 4
}

// patience is the longest pause before an answer is there, and the longest time that an attempt to renew is given
// beyond the end of a lease.
const patience = time.Second

// due returns the tasks whose leases are to be renewed.
func (k *keeper) due() []*task {
	var due []*task
	for _, t := range k.tasks() {
		if t.isLost() {
			continue
		}
		if k.granted == 0 || t.lease.Remaining() <= k.granted-k.granted/3 {
			due = append(due, t)
		}
	}
	return due
}

// renew renews the leases of tasks with one call, and tells of those that are lost. It returns an error if the call has
// to be repeated.
func (k *keeper) renew(ctx context.Context, tasks []*task) error {
	leases := make([]*space.Lease, len(tasks))
	left := k.lease
	for i, t := range tasks {
		leases[i] = t.lease
		left = min(left, t.lease.Remaining())
	}
	// Without an answer, the first lease that is over ends the attempt, so that its loss is told in time. An attempt
	// for leases that are over already is worth a little while: the clock may have stood still, not the space.
	call, cancel := context.WithTimeout(ctx, max(left, min(k.lease/12, patience)))
	defer cancel()
	err := space.RenewAll(call, k.lease, leases...)
	if ctx.Err() != nil {
		return nil
	}
	ended, partly := errors.AsType[*space.LeaseError](err)
	for _, t := range tasks {
		switch {
		case err == nil || partly && ended.Failed[t.lease.ID()] == nil:
			k.granted = t.lease.Granted()
		case partly && !t.isSettling():
			t.lose(leaseLost(ended.Failed[t.lease.ID()]))
		case final(err) && !partly || t.lease.Remaining() == 0:
			t.lose(leaseLost(err))
		}
	}
	if partly {
		return nil
	}
	return err
}

// leaseLost is why a task is lost whose lease could not be renewed.
func leaseLost(err error) error {
	return fmt.Errorf("%w: its lease was lost: %w", space.ErrTxnEnded, err)
}

// final reports whether it is of no use to repeat a call that failed with err.
func final(err error) bool {
	return errors.Is(err, space.ErrLeaseEnded) || errors.Is(err, space.ErrClosed) ||
		errors.Is(err, space.ErrInvalidArgument)
}
