package txn

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Decide commits a transaction in its home, together with the decision that the branches in the given partitions, which
// have all prepared, are to commit too. It returns nil once that is durable. Before any other caller can learn of it,
// it should have made the branches' effects visible as well; Coordinator commits those that it left out. When it
// returns an error the decision may have been taken or not.
type Decide func(ctx context.Context, branches []Address) error

// Commit commits a transaction in all its partitions or in none: it has every branch prepare, and then decide decides.
// It returns nil when the decision is durable; branches that do not know it yet are told in the background, and after a
// restart by Recover.
//
// It returns ErrNoHome; ErrEnded, once that is done, if another call commits the transaction already; ErrAborted, with
// the reason, if a partition could not prepare, or decide has certainly not decided; else what decide returned: then
// the branches learn the outcome from the home, as soon as it can tell.
func (c *Coordinator) Commit(ctx context.Context, id ID, decide Decide) error {
	ctx, cancel := c.join(ctx)
	defer cancel()
	home, parts, err := c.beginCommit(ctx, id)
	if err != nil {
		return err
	}
	defer c.endCommit(id)

	prepared, err := c.prepare(ctx, id, parts)
	if err == nil {
		err = decide(ctx, prepared)
	}
	if err != nil {
		if home.Dissolve(ctx, id.Number) == nil && !errors.Is(err, ErrAborted) {
			err = fmt.Errorf("%w: %w", ErrAborted, err) // it was not decided, and never will be
		}
		c.tell(ctx, id, parts)
		return err
	}
	if len(prepared) > 0 {
		c.finish(id.Home(), Decision{id.Number, prepared})
	}
	return nil
}

// join returns a context that ends with ctx or with the coordinator.
func (c *Coordinator) join(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(c.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// beginCommit keeps further partitions out of a transaction, and returns its home and those that are in it. If another
// caller commits it, it waits for that and returns ErrEnded: whatever came of it, it has ended the transaction.
func (c *Coordinator) beginCommit(ctx context.Context, id ID) (Home, []Address, error) {
	home, err := c.home(id)
	if err != nil {
		return nil, nil, err
	}
	c.joining.Lock()
	other := c.committing[id]
	if other == nil {
		defer c.joining.Unlock()
		c.committing[id] = make(chan struct{})
		return home, home.Participants(id.Number), nil
	}
	c.joining.Unlock()
	select {
	case <-other:
		return nil, nil, ErrEnded
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

func (c *Coordinator) endCommit(id ID) {
	c.joining.Lock()
	defer c.joining.Unlock()
	close(c.committing[id])
	delete(c.committing, id)
}

// prepare has all branches prepare at the same time. It returns the partitions whose branches have anything to commit.
func (c *Coordinator) prepare(ctx context.Context, id ID, parts []Address) ([]Address, error) {
	prepared := make([]bool, len(parts))
	errs := make([]error, len(parts))
	var all sync.WaitGroup
	for i, at := range parts {
		all.Go(func() {
			if prepared[i], errs[i] = c.prepareOne(ctx, id, at); errs[i] != nil {
				errs[i] = fmt.Errorf("%w: partition %v: %w", ErrAborted, at, errs[i])
			}
		})
	}
	all.Wait()
	var some []Address
	for i, at := range parts {
		if prepared[i] {
			some = append(some, at)
		}
	}
	return some, errors.Join(errs...)
}

func (c *Coordinator) prepareOne(ctx context.Context, id ID, at Address) (bool, error) {
	s := c.parts.At(at)
	if s == nil {
		return false, errVanished
	}
	return s.Prepare(ctx, id)
}

var errVanished = errors.New("it does not exist any more")

// Abort aborts a transaction in all its partitions. It returns once nothing of it is left in any that serves; the
// others are told in the background. It returns ErrNoHome, or the home's error if the transaction has ended.
func (c *Coordinator) Abort(ctx context.Context, id ID) error {
	ctx, cancel := c.join(ctx)
	defer cancel()
	home, err := c.home(id)
	if err != nil {
		return err
	}
	parts := home.Participants(id.Number)
	if err := home.Dissolve(ctx, id.Number); err != nil {
		return err
	}
	c.tell(ctx, id, parts)
	return nil
}

// Rollback undoes what was done under a transaction, which goes on: undo is called with the address of each partition
// that has a branch, and then of the home. It returns ErrNoHome and what undo returned for the home; ErrAborted, with
// the reason, if a branch could not be undone: the transaction is then aborted.
func (c *Coordinator) Rollback(ctx context.Context, id ID, undo func(ctx context.Context, at Address) error) error {
	ctx, cancel := c.join(ctx)
	defer cancel()
	home, err := c.home(id)
	if err != nil {
		return err
	}
	parts := home.Participants(id.Number)
	for _, at := range parts {
		if err := undo(ctx, at); err != nil {
			_ = home.Dissolve(ctx, id.Number)
			c.tell(ctx, id, parts)
			return fmt.Errorf("%w: partition %v: %w", ErrAborted, at, err)
		}
	}
	return undo(ctx, id.Home())
}
