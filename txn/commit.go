package txn

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Decide commits a transaction in its home, together with the decision that the branches in the named spaces, which have all prepared, are to
// commit too. It returns nil once that is durable. Before anybody else can learn of it, it should have made the branches' effects
// visible as well; Coordinator sees to those that it left out. When it returns an error the decision may have been taken or not.
type Decide func(ctx context.Context, spaces []string) error

// Commit commits a transaction in all its spaces or in none: it has every branch prepare, and then decide decides. It returns nil when the decision is
// durable; branches that do not know it yet are told in the background, and after a restart by Recover.
//
// It returns ErrNoHome; ErrEnded, once that is done, if somebody else commits the transaction already; ErrAborted, with the reason, if a space could not prepare, or decide has certainly not decided; else
// what decide returned: then the branches learn the outcome from the home, as soon as it can tell.
func (c *Coordinator) Commit(ctx context.Context, id ID, decide Decide) error {
	ctx, cancel := c.join(ctx)
	defer cancel()
	home, spaces, err := c.beginCommit(ctx, id)
	if err != nil {
		return err
	}
	defer c.endCommit(id)

	prepared, err := c.prepare(ctx, id, spaces)
	if err == nil {
		err = decide(ctx, prepared)
	}
	if err != nil {
		if home.Dissolve(ctx, id.Number) == nil && !errors.Is(err, ErrAborted) {
			err = fmt.Errorf("%w: %w", ErrAborted, err) // it was not decided, and never will be
		}
		c.tell(ctx, id, spaces)
		return err
	}
	if len(prepared) > 0 {
		c.finish(id.Space, Decision{id.Number, prepared})
	}
	return nil
}

// join returns a context that ends with ctx or with the coordinator.
func (c *Coordinator) join(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(c.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// beginCommit keeps further spaces out of a transaction, and returns its home and those that are in it. If somebody else commits it, it
// waits for that and returns ErrEnded: whatever came of it, it has ended the transaction.
func (c *Coordinator) beginCommit(ctx context.Context, id ID) (Home, []string, error) {
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

// prepare has all branches prepare at the same time. It returns the spaces whose branches have anything to commit.
func (c *Coordinator) prepare(ctx context.Context, id ID, spaces []string) ([]string, error) {
	prepared := make([]bool, len(spaces))
	errs := make([]error, len(spaces))
	var all sync.WaitGroup
	for i, name := range spaces {
		all.Go(func() {
			if prepared[i], errs[i] = c.prepareOne(ctx, id, name); errs[i] != nil {
				errs[i] = fmt.Errorf("%w: space %q: %w", ErrAborted, name, errs[i])
			}
		})
	}
	all.Wait()
	var names []string
	for i, name := range spaces {
		if prepared[i] {
			names = append(names, name)
		}
	}
	return names, errors.Join(errs...)
}

func (c *Coordinator) prepareOne(ctx context.Context, id ID, name string) (bool, error) {
	s := c.spaces.Space(name)
	if s == nil {
		return false, errVanished
	}
	return s.Prepare(ctx, id)
}

var errVanished = errors.New("it does not exist any more")

// Abort aborts a transaction in all its spaces. It returns once nothing of it is left in any that serves; the others are seen to in the
// background. It returns ErrNoHome, or the home's error if the transaction has ended.
func (c *Coordinator) Abort(ctx context.Context, id ID) error {
	ctx, cancel := c.join(ctx)
	defer cancel()
	home, err := c.home(id)
	if err != nil {
		return err
	}
	spaces := home.Participants(id.Number)
	if err := home.Dissolve(ctx, id.Number); err != nil {
		return err
	}
	c.tell(ctx, id, spaces)
	return nil
}

// Rollback undoes what was done under a transaction, which goes on: undo is called with the name of each space that has a branch, and then of
// the home. It returns ErrNoHome and what undo returned for the home; ErrAborted, with the reason, if a branch could not be undone: the
// transaction is then aborted.
func (c *Coordinator) Rollback(ctx context.Context, id ID, undo func(ctx context.Context, space string) error) error {
	ctx, cancel := c.join(ctx)
	defer cancel()
	home, err := c.home(id)
	if err != nil {
		return err
	}
	spaces := home.Participants(id.Number)
	for _, name := range spaces {
		if err := undo(ctx, name); err != nil {
			_ = home.Dissolve(ctx, id.Number)
			c.tell(ctx, id, spaces)
			return fmt.Errorf("%w: space %q: %w", ErrAborted, name, err)
		}
	}
	return undo(ctx, id.Space)
}
