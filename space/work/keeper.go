package work

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/space"
)

// keeper keeps the transactions of all tasks of a loop alive, with one call for all of them. Tasks come and go
// meanwhile, which a space.Keeper cannot do. Its methods may be called concurrently.
type keeper struct {
	lease time.Duration // asked for
	wake  chan struct{} // one slot, filled when there are tasks again

	mu      sync.Mutex
	tasks   map[space.LeaseID]*task // guarded by mu; by the number of the transaction
	granted time.Duration           // guarded by mu; of leases asked for; 0 before the first answer
}

func newKeeper(lease time.Duration) *keeper {
	return &keeper{lease: lease, wake: make(chan struct{}, 1), tasks: map[space.LeaseID]*task{}}
}

// add makes the keeper renew the leases of tasks.
func (k *keeper) add(tasks []*task) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, t := range tasks {
		k.tasks[t.lease.ID()] = t
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// drop ends that for a task.
func (k *keeper) drop(t *task) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.tasks, t.lease.ID())
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
		k.mu.Lock()
		n := len(k.tasks)
		k.mu.Unlock()
		if n > 0 {
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
	k.mu.Lock()
	defer k.mu.Unlock()
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
	k.mu.Lock()
	defer k.mu.Unlock()
	var due []*task
	for _, t := range k.tasks {
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
			k.renewed(t)
		case partly && !t.isSettling():
			k.lost(t, ended.Failed[t.lease.ID()])
		case final(err) && !partly || t.lease.Remaining() == 0:
			k.lost(t, err)
		}
	}
	if partly {
		return nil
	}
	return err
}

// renewed notes what the space grants.
func (k *keeper) renewed(t *task) {
	granted := t.lease.Granted()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.granted = granted
}

// lost ends the context of a task whose lease is lost.
func (k *keeper) lost(t *task, err error) {
	k.drop(t)
	t.lose(fmt.Errorf("%w: its lease was lost: %w", space.ErrTxnEnded, err))
}

// final reports whether it is of no use to repeat a call that failed with err.
func final(err error) bool {
	return errors.Is(err, space.ErrLeaseEnded) || errors.Is(err, space.ErrClosed) ||
		errors.Is(err, space.ErrInvalidArgument)
}
