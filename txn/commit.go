package txn

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Decide commits a transaction in its home, together with the decision that its branches in the given partitions, which
// have all prepared, commit too. It returns nil once the decision is durable. Before any other caller can learn of the
// decision, it should have made the effects of the branches visible as well; Coordinator commits those that it left
// out. If it returns an error, the decision may or may not have been made.
type Decide func(ctx context.Context, branches []Address) error

// Commit commits a transaction in all its partitions or in none: every branch prepares, and then decide decides. It
// returns nil once the decision is durable. Branches that do not know it yet are told in the background, and after a
// restart by Recover.
//
// It returns ErrNoHome; ErrEnded, after waiting, if another call is committing the transaction; ErrAborted, with the
// reason, if a partition could not prepare or decide certainly did not decide; otherwise the error of decide. In the
// last case the branches learn the outcome from the home, as soon as it knows.
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
			err = fmt.Errorf("%w: %w", ErrAborted, err) // not decided, and never will be
		}
		c.tell(ctx, id, Addresses(parts))
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

// beginCommit keeps further partitions out of a transaction, and returns its home and its participants. If another
// caller is committing it, beginCommit waits for that to end and returns ErrEnded: the transaction has ended either
// way.
func (c *Coordinator) beginCommit(ctx context.Context, id ID) (Local, []Branch, error) {
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

// prepare prepares all branches concurrently. It returns the partitions whose branches have anything to commit.
func (c *Coordinator) prepare(ctx context.Context, id ID, parts []Branch) ([]Address, error) {
	prepared := make([]bool, len(parts))
	errs := make([]error, len(parts))
	var all sync.WaitGroup
	for i, b := range parts {
		all.Go(func() {
			if prepared[i], errs[i] = c.prepareOne(ctx, id, b); errs[i] != nil {
				errs[i] = fmt.Errorf("%w: partition %v: %w", ErrAborted, b.At, errs[i])
			}
		})
	}
	all.Wait()
	var some []Address
	for i, b := range parts {
		if prepared[i] {
			some = append(some, b.At)
		}
	}
	return some, errors.Join(errs...)
}

func (c *Coordinator) prepareOne(ctx context.Context, id ID, b Branch) (bool, error) {
	s := c.parts.At(b.At)
	if s == nil {
		return false, errVanished
	}
	return s.Prepare(ctx, id, b.Incarnation)
}

var errVanished = errors.New("it does not exist any more")

// Abort aborts a transaction in all its partitions. It returns once every partition that serves has dropped its branch;
// the others are told in the background. It returns ErrNoHome, or the home's error if the transaction has ended.
func (c *Coordinator) Abort(ctx context.Context, id ID) error {
	ctx, cancel := c.join(ctx)
	defer cancel()
	home, err := c.home(id)
	if err != nil {
		return err
	}
	parts := Addresses(home.Participants(id.Number))
	if err := home.Dissolve(ctx, id.Number); err != nil {
		return err
	}
	c.tell(ctx, id, parts)
	return nil
}

// Rollback undoes the work of a transaction, which stays open: it calls undo for each partition that has a branch, and
// then for the home. It returns ErrNoHome, or the error of undo for the home. If a branch cannot be undone, the
// transaction is aborted and Rollback returns ErrAborted with the reason.
func (c *Coordinator) Rollback(ctx context.Context, id ID, undo func(ctx context.Context, at Address) error) error {
	ctx, cancel := c.join(ctx)
	defer cancel()
	home, err := c.home(id)
	if err != nil {
		return err
	}
	parts := Addresses(home.Participants(id.Number))
	for _, at := range parts {
		if err := undo(ctx, at); err != nil {
			_ = home.Dissolve(ctx, id.Number)
			c.tell(ctx, id, parts)
			return fmt.Errorf("%w: partition %v: %w", ErrAborted, at, err)
		}
	}
	return undo(ctx, id.Home())
}
