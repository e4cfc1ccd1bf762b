package txn

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Dissolved tells that a transaction was aborted in its home other than by this coordinator, because its lease ended, say: its branches are
// aborted in the background. It does not wait and calls no space before it returns, so that it may be called with a space's lock held.
func (c *Coordinator) Dissolved(home string, d Decision) {
	id := ID{home, d.Number}
	c.background("abort branches", id.String(), c.telling(id, d.Spaces))
}

// Doomed tells that a branch has ended before its transaction, as the victim of a deadlock, say. The transaction, which can never commit, is
// aborted in the background. It does not wait and calls no space before it returns, so that it may be called with a space's lock held.
func (c *Coordinator) Doomed(id ID) {
	c.background("abort a transaction", id.String(), func(ctx context.Context) error {
		if home := c.spaces.Space(id.Space); home != nil {
			_ = home.Dissolve(ctx, id.Number) // if it does not serve it will not know the transaction any more
		}
		return nil
	})
}

// Start brings what the logs of all spaces left unfinished to an end: decisions are carried out, and prepared branches learn the outcome
// from their homes. That is done when Start returns, before anybody uses the spaces; where a space fails, it goes on in the background.
func (c *Coordinator) Start(ctx context.Context) {
	ctx, cancel := c.join(ctx)
	defer cancel()
	for _, name := range c.spaces.Names() {
		c.carryOut(ctx, name)
	}
	for _, name := range c.spaces.Names() {
		c.attempt(ctx, "resolve branches", name, c.resolving(name, name))
	}
}

// Recovered tells that the named space was rebuilt from its log while others went on. What it knows of decided transactions is carried out, its branches learn
// the outcome from their homes, and those branches elsewhere whose home it is learn theirs: all that was active there has ended. It does not
// wait and calls no space before it returns.
func (c *Coordinator) Recovered(name string) {
	c.background("recover", name, func(ctx context.Context) error {
		c.carryOut(ctx, name)
		for _, other := range c.spaces.Names() {
			c.attempt(ctx, "resolve branches", other, c.resolving(other, name))
		}
		return nil
	})
}

// carryOut carries out the decisions that a space remembers.
func (c *Coordinator) carryOut(ctx context.Context, name string) {
	s := c.spaces.Space(name)
	if s == nil {
		return
	}
	for _, d := range s.Decisions() {
		c.attempt(ctx, "carry out a decision", ID{name, d.Number}.String(), c.finishing(name, d))
	}
}

// tell lets the branches of a transaction in the named spaces learn its outcome from the home. It tries once, and goes on in the background.
func (c *Coordinator) tell(ctx context.Context, id ID, spaces []string) {
	c.attempt(ctx, "end branches", id.String(), c.telling(id, spaces))
}

// finish carries out a decision in the background.
func (c *Coordinator) finish(home string, d Decision) {
	c.background("carry out a decision", ID{home, d.Number}.String(), c.finishing(home, d))
}

// A job is something that must be done sooner or later. It returns nil when there is nothing left to do; otherwise it is called again.
type job func(ctx context.Context) error

// finishing commits the branches of a decided transaction, and then has the home forget it.
func (c *Coordinator) finishing(home string, d Decision) job {
	left := d.Spaces
	return func(ctx context.Context) (err error) {
		if left, err = c.endBranches(ctx, ID{home, d.Number}, left, Committed); err != nil {
			return err
		}
		h := c.spaces.Space(home)
		if h == nil {
			return fmt.Errorf("%w: space %q", ErrNoHome, home)
		}
		return h.Forget(ctx, d.Number)
	}
}

// telling asks the home for the outcome of a transaction and passes it on to its branches.
func (c *Coordinator) telling(id ID, spaces []string) job {
	left := spaces
	return func(ctx context.Context) error {
		if len(left) == 0 {
			return nil
		}
		o, err := c.outcome(ctx, id)
		if err != nil {
			return err
		}
		if o == Active {
			return errActive
		}
		left, err = c.endBranches(ctx, id, left, o)
		return err
	}
}

var errActive = errors.New("txn: the transaction has not been decided yet")

// resolving ends the branches in one space that concern another one: all of them if that is the same, otherwise those that have it as their home.
// Those of active transactions are left alone: whoever ends these knows of the branch.
func (c *Coordinator) resolving(space, concerned string) job {
	return func(ctx context.Context) error {
		s := c.spaces.Space(space)
		if s == nil {
			return nil
		}
		var errs []error
		for _, id := range s.Branches() {
			if space != concerned && id.Space != concerned {
				continue
			}
			o, err := c.outcome(ctx, id)
			if err == nil && o != Active {
				_, err = c.endBranches(ctx, id, []string{space}, o)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("transaction %v: %w", id, err))
			}
		}
		return errors.Join(errs...)
	}
}

func (c *Coordinator) outcome(ctx context.Context, id ID) (Outcome, error) {
	home, err := c.home(id)
	if err != nil {
		return Unknown, err // perhaps it comes back: until then nobody can know
	}
	return home.Outcome(ctx, id.Number)
}

// endBranches commits the branches in the named spaces, or aborts them. It returns those where that has failed, and why.
func (c *Coordinator) endBranches(ctx context.Context, id ID, spaces []string, o Outcome) (left []string, err error) {
	var errs []error
	for _, name := range spaces {
		if err := c.endBranch(ctx, id, name, o); err != nil {
			left = append(left, name)
			errs = append(errs, fmt.Errorf("space %q: %w", name, err))
		}
	}
	return left, errors.Join(errs...)
}

func (c *Coordinator) endBranch(ctx context.Context, id ID, name string, o Outcome) error {
	s := c.spaces.Space(name)
	switch {
	case s == nil:
		return errVanished
	case o == Committed:
		return s.Commit(ctx, id)
	}
	return s.Abort(ctx, id)
}

// attempt does a job, and what it leaves undone in the background.
func (c *Coordinator) attempt(ctx context.Context, what, of string, do job) {
	if err := do(ctx); err != nil {
		c.background(what, of, do)
	}
}

// The pauses between two attempts at a job.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = 5 * time.Second
)

// background does a job until it is done or the coordinator is closed.
func (c *Coordinator) background(what, of string, do job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.jobs.Go(func() {
		for pause := firstPause; ; pause = min(2*pause, lastPause) {
			err := do(c.ctx)
			if err == nil || c.ctx.Err() != nil {
				return
			}
			if pause == lastPause {
				c.logger.Warn(what+": not done yet", "of", of, "error", err)
			}
			select {
			case <-time.After(pause/2 + rand.N(pause)):
			case <-c.ctx.Done():
				return
			}
		}
	})
}
