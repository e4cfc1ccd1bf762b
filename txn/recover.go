package txn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
)

// Dissolved tells the coordinator that a transaction was aborted in its home by another cause, for example the end of
// its lease. The branches are aborted in the background. Dissolved does not wait and calls no partition before it
// returns, so it may be called with a partition's lock held.
func (c *Coordinator) Dissolved(home Address, d Decision) {
	id := ID{home.Space, d.Number}
	c.background("abort branches", id.String(), c.telling(id, d.Participants))
}

// Doomed tells the coordinator that a branch ended before its transaction, for example as the victim of a deadlock. The
// transaction can no longer commit and is aborted in the background. Doomed does not wait and calls no partition before
// it returns, so it may be called with a partition's lock held.
func (c *Coordinator) Doomed(id ID) {
	c.background("abort a transaction", id.String(), func(ctx context.Context) error {
		if home := c.parts.At(id.Home()); home != nil {
			_ = home.Dissolve(ctx, id.Number) // a home that does not serve will not know the transaction any more
		}
		return nil
	})
}

// Start completes the work that the logs of all partitions left unfinished: decisions are carried out, and prepared
// branches learn the outcome from their homes. When Start returns that is done, before the partitions are used; if a
// partition fails, it continues in the background.
func (c *Coordinator) Start(ctx context.Context) {
	ctx, cancel := c.join(ctx)
	defer cancel()
	for _, at := range c.parts.All() {
		c.carryOut(ctx, at)
	}
	for _, at := range c.parts.All() {
		c.attempt(ctx, "resolve branches", at.String(), c.resolving(at, at))
	}
}

// Recovered tells the coordinator that the partition at an address was rebuilt from its log while others went on. Its
// decisions are carried out, its branches learn their outcome from their homes, and branches elsewhere learn theirs
// from it: every transaction that was active there has ended. Recovered does not wait and calls no partition before it
// returns.
func (c *Coordinator) Recovered(at Address) {
	c.background("recover", at.String(), func(ctx context.Context) error {
		c.carryOut(ctx, at)
		for _, other := range c.parts.All() {
			c.attempt(ctx, "resolve branches", other.String(), c.resolving(other, at))
		}
		return nil
	})
}

// Committed reports whether a transaction was committed, as far as its home knows; it returns false also if there is no
// home. It blocks while the home is reading its log or appending the decision to it, until ctx ends.
func (c *Coordinator) Committed(ctx context.Context, id ID) bool {
	home, err := c.home(id)
	if err != nil {
		return false
	}
	decided, err := home.Decided(ctx, id.Number)
	return err == nil && decided
}

// carryOut carries out the decisions that a partition remembers.
func (c *Coordinator) carryOut(ctx context.Context, at Address) {
	s := c.parts.Here(at)
	if s == nil {
		return
	}
	for _, d := range s.Decisions() {
		c.attempt(ctx, "carry out a decision", ID{at.Space, d.Number}.String(), c.finishing(at, d))
	}
}

// tell passes the outcome of a transaction from its home to the branches in the given partitions. It tries once, and
// goes on in the background.
func (c *Coordinator) tell(ctx context.Context, id ID, parts []Address) {
	c.attempt(ctx, "end branches", id.String(), c.telling(id, parts))
}

// finish carries out a decision in the background.
func (c *Coordinator) finish(home Address, d Decision) {
	c.background("carry out a decision", ID{home.Space, d.Number}.String(), c.finishing(home, d))
}

// A job is work that must be done eventually. It returns nil when nothing is left to do; otherwise it is called again.
type job func(ctx context.Context) error

// finishing commits the branches of a decided transaction; then the home forgets the transaction. If another process
// serves the home by now, that carries out the decision; one whose space was dropped has nothing to forget.
func (c *Coordinator) finishing(home Address, d Decision) job {
	left := d.Participants
	return func(ctx context.Context) (err error) {
		if left, err = c.endBranches(ctx, ID{home.Space, d.Number}, left, Committed); err != nil {
			return err
		}
		switch h := c.parts.Here(home); {
		case h != nil:
			return h.Forget(ctx, d.Number)
		case c.parts.At(home) != nil, c.parts.Gone(ctx, home):
			return nil
		}
		return fmt.Errorf("%w: partition %v", ErrNoHome, home)
	}
}

// telling asks the home for the outcome of a transaction and passes it on to its branches.
func (c *Coordinator) telling(id ID, parts []Address) job {
	left := parts
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

// resolving ends the branches in the partition at that concern another one: all of them if that is the same partition,
// otherwise those that have it as their home. It leaves branches of active transactions alone: they end with their
// transaction, which knows of them.
func (c *Coordinator) resolving(at, concerned Address) job {
	return func(ctx context.Context) error {
		s := c.parts.Here(at)
		if s == nil {
			return nil
		}
		var errs []error
		for _, id := range s.Branches() {
			if at != concerned && id.Home() != concerned {
				continue
			}
			if err := c.ask(ctx, id, at); err != nil {
				errs = append(errs, fmt.Errorf("transaction %v: %w", id, err))
			}
		}
		return errors.Join(errs...)
	}
}

// ask asks the home of a transaction for the outcome, and ends the branch in the partition at an address accordingly.
// It leaves the branch alone while the transaction is active.
func (c *Coordinator) ask(ctx context.Context, id ID, at Address) error {
	o, err := c.outcome(ctx, id)
	if err == nil && o != Active {
		_, err = c.endBranches(ctx, id, []Address{at}, o)
	}
	return err
}

// Dropped tells that the space of a partition was dropped although transactions may have had parts there. Branches
// whose home it was are aborted, before it returns where their partitions serve: its decisions are lost. Decisions of
// others are carried out without it.
func (c *Coordinator) Dropped(ctx context.Context, was Address) {
	ctx, cancel := c.join(ctx)
	defer cancel()
	for _, at := range c.parts.All() {
		c.attempt(ctx, "abort branches of a dropped space", at.String(), c.resolving(at, was))
	}
}

func (c *Coordinator) outcome(ctx context.Context, id ID) (Outcome, error) {
	at := id.Home()
	home := c.parts.At(at)
	switch {
	case home != nil && c.parts.Here(at) != nil:
		return home.Outcome(ctx, id.Number)
	case c.parts.Gone(ctx, at):
		return Unknown, nil
	case home != nil:
		return home.Outcome(ctx, id.Number)
	}
	return Unknown, fmt.Errorf("%w: partition %v", ErrNoHome, at) // it may come back: until then the outcome is not known
}

// endBranches commits the branches in the given partitions, or aborts them. It returns the partitions where that
// failed, and the error.
func (c *Coordinator) endBranches(ctx context.Context, id ID, parts []Address, o Outcome) (left []Address, err error) {
	var errs []error
	for _, at := range parts {
		if err := c.endBranch(ctx, id, at, o); err != nil {
			left = append(left, at)
			errs = append(errs, fmt.Errorf("partition %v: %w", at, err))
		}
	}
	return left, errors.Join(errs...)
}

func (c *Coordinator) endBranch(ctx context.Context, id ID, at Address, o Outcome) error {
	s := c.parts.At(at)
	switch {
	case c.parts.Here(at) == nil && c.parts.Gone(ctx, at):
		return nil
	case s == nil:
		return errVanished
	case o == Committed:
		return s.Commit(ctx, id)
	}
	return s.Abort(ctx, id)
}

// attempt does a job once, and continues in the background if that fails.
func (c *Coordinator) attempt(ctx context.Context, what, of string, do job) {
	if err := do(ctx); err != nil {
		c.background(what, of, do)
	}
}

// background does a job until it is done or the coordinator is closed.
func (c *Coordinator) background(what, of string, do job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.jobs.Go(func() {
		pauses := backoff.Backoff{Min: 20 * time.Millisecond, Max: 5 * time.Second}
		for {
			err := do(c.ctx)
			if err == nil || c.ctx.Err() != nil {
				return
			}
			if pauses.AtMax() {
				c.logger.Warn(what+": not done yet", "of", of, "error", err)
			}
			if pauses.Wait(c.ctx) != nil {
				return
			}
		}
	})
}
