package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
)

// do makes a call, repeatedly if necessary and safe, and returns once its outcome is known.
func (c *Client) do(ctx context.Context, callID *pendingCall) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		l := callID.linkFor()
		err := l.send(ctx, callID)
		if err == nil {
			err = l.await(ctx, callID)
		} else if err = callID.prepare(ctx, l, err); err == nil || err == errNotOpen || err == errAstray {
			continue // errNotOpen: there is another session by now
		}
		if callID.gone != nil {
			if over := l.awaitChange(ctx, callID, callID.gone); over != nil && callID.begins() {
				return over
			}
		}
		if err != nil && callID.owing {
			err = c.repeat(ctx, l, callID)
		}
		if throttled(err) {
			if over := callID.sitOut(ctx, err); over != nil {
				return over
			}
		}
		if unready(err) {
			if over := callID.follow(ctx, l, err); over != nil {
				return over
			}
		}
		if err == nil || !callID.again(err) {
			return callID.sender(l).explain(ctx, callID, callID.final(ctx, err))
		}
	}
}

// prepare removes the cause for which send failed with err, if it can; otherwise it returns err.
func (c *pendingCall) prepare(ctx context.Context, l *link, err error) error {
	if err == errNotOpen {
		err = c.part.open(ctx, l, c.sub(wire.Open))
	} else if miss, ok := err.(*missingKindError); ok {
		c.resolved = miss.kind
		err = c.part.resolve(ctx, l, c, miss.kind)
	}
	if errors.Is(err, space.ErrOutcomeUnknown) || errors.Is(err, wire.ErrInDoubt) {
		return errLost // of the preparation, which may be repeated; c was not sent
	}
	return err
}

// again reports whether the call, which ended with err, is to be made once more, and prepares it for that.
func (c *pendingCall) again(err error) bool {
	switch {
	case errors.Is(err, wire.ErrInterrupted), throttled(err), unready(err):
	case errors.Is(err, call.ErrUnknownKind) && c.failed && c.asks():
		// It knows better now: a kind was dropped, or has other classes.
	case errors.Is(err, space.ErrInvalidArgument) && c.failed && c.outdated():
	case err == errLost && (c.repeatable() || c.query.Begin || !c.sent): // what Begin has begun is gone
	case errors.Is(err, wire.ErrInDoubt) && (c.repeatable() || c.query.Begin):
	case errors.Is(err, space.ErrOutcomeUnknown) && c.failed && c.repeatable():
	default:
		return false
	}
	if c.repeated {
		c.repeated, c.moved, c.ask, c.lane = false, false, false, nil
	}
	c.renew()
	return true
}

// asks reports whether c has a query.
func (c *pendingCall) asks() bool { return len(c.query.Templates) > 0 }

// outdated reports whether c has a query for classes that its kind no longer has. The server has sent the new schema
// before the answer, but may have received c after that, so it takes the query for one of the new schema.
func (c *pendingCall) outdated() bool {
	return slices.ContainsFunc(c.asked.query.Templates, func(t call.Template) bool {
		return t.Schema != nil && int(t.Kind) < len(c.schemas) && !c.schemas[t.Kind].Extends(t.Schema)
	})
}

// renew prepares c for being sent once more.
func (c *pendingCall) renew() {
	c.err, c.failed, c.sent, c.gone, c.body = nil, false, false, nil, c.body[:0]
	if c.query.Begin {
		c.sentAt = time.Now()
	}
	if c.limit = (time.Time{}); !c.deadline.IsZero() {
		c.wait = max(0, time.Until(c.deadline))
	}
}

// final returns the error for the caller.
func (c *pendingCall) final(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case err == errLost:
		return fmt.Errorf("%w: the connection was lost after the call had been sent", space.ErrOutcomeUnknown)
	case errors.Is(err, wire.ErrInDoubt):
		return fmt.Errorf("%w: %w", space.ErrOutcomeUnknown, err)
	case errors.Is(err, call.ErrUnknownKind) && c.writes():
		return fmt.Errorf("%w: %w", space.ErrInvalidArgument, err)
	case !errors.Is(err, call.ErrCancelled):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return space.ErrClosed // nothing else cancels
}

// open opens s on a connection with the call c, which it frees.
func (s *part) open(ctx context.Context, l *link, c *pendingCall) error {
	defer c.free()
	l.mu.Lock()
	c.session = l.session.of(s).session
	l.mu.Unlock()
	if err := l.call(ctx, c); err != nil {
		return err
	}
	d := wire.NewDecoder(c.body)
	o := d.Opened()
	if err := d.Err(); err != nil {
		return err
	}
	if n := max(o.Partitions, 1); n != s.of { // 0: the space does not exist on the server
		s.space.split(n)
		return errMisrouted
	}
	s.reborn(o.Incarnation)
	for _, t := range l.opened(s, c.epoch, o) {
		t.Lose(errGone)
	}
	return nil
}

// reach opens s, wherever it is. It waits for as long as an attempt to connect may take while no node serves s.
func (s *part) reach(ctx context.Context) error {
	c := newCall(s, wire.Open)
	defer c.free()
	for c.limited, c.limit = true, time.Now().Add(s.client.cfg.DialTimeout); ; {
		l := c.linkFor()
		err := s.open(ctx, l, c.sub(wire.Open))
		switch {
		case err == errAstray, errors.Is(err, wire.ErrInterrupted), errors.Is(err, wire.ErrInDoubt):
		case !unready(err):
			return err
		default:
			if over := c.follow(ctx, l, err); over != nil {
				return over
			}
		}
	}
}

// opened records that s is open in the session of an epoch, and returns the transactions of the lane that the space no
// longer knows.
func (l *link) opened(s *part, epoch uint64, o *wire.Opened) (gone []*space.Txn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.session.view(s)
	if epoch != v.epoch { // it must be opened again
		return nil
	}
	l.endUnclaimedLocked(s, o.Txns)
	if v.open {
		return nil
	}
	l.session.open(s, o)
	return s.txns.Missing(l.lane, numbersOf(o.Txns)) // while none can begin
}

// reborn records the incarnation of the space. A different one means that the space has lost everything, kinds
// included: Go types are registered again.
func (s *part) reborn(incarnation string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.incarnation != "" && s.incarnation != incarnation {
		s.space.forgetSchemas()
	}
	s.incarnation = incarnation
}
