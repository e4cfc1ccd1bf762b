package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/space"
)

// throttledPauses are the pauses before a throttled call is repeated: the server's log has no room for changes.
var throttledPauses = backoff.Backoff{Min: 10 * time.Millisecond, Max: 500 * time.Millisecond}

// throttled reports whether the server throttled a call that ended with err: it changed nothing, and must be repeated.
func throttled(err error) bool { return errors.Is(err, call.ErrThrottled) }

// unready reports whether a call that ended with err was not executed because its partition is not served yet, or is
// elsewhere: the partition is to be opened again, and the call made.
func unready(err error) bool {
	return errors.Is(err, call.ErrNotReady) || errors.Is(err, call.ErrElsewhere)
}

// sitOut pauses a call that was throttled, or not served yet, because of why. It returns nil when it is time to make
// the call again, and otherwise the error with which it ends: what its context ended with, which wraps why too; why
// itself if the call's own wait is over; or space.ErrClosed.
func (c *pendingCall) sitOut(ctx context.Context, why error) error {
	if c.pauses.Max == 0 {
		c.pauses, c.until, c.pausedAt = throttledPauses, c.deadline, time.Now()
		if throttled(why) {
			c.part.client.warn("the server lets changes wait", why)
		} else if c.pauses, c.until = unserved, (time.Time{}); c.limited && !c.repeated { // as if there were no connection
			c.until = c.limitAt(c.part.client.cfg.Grace)
		}
	}
	if !throttled(why) && time.Since(c.pausedAt) > unservedPatience {
		c.part.client.warn("no node serves the space: calls wait", why)
	}
	pause := c.pauses.Next()
	last := false
	if !c.until.IsZero() {
		left := time.Until(c.until)
		last, pause = left <= pause, min(pause, left)
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		if last {
			return why
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ctx.Err(), why)
	case <-c.closed():
		return space.ErrClosed
	}
}

// warnEvery is the interval at which calls that wait are logged.
const warnEvery = time.Minute

// unservedPatience is how long a call waits until it is logged that no node serves its partition. A failover is
// shorter.
const unservedPatience = 5 * time.Second

// warn logs why calls wait, unless that was logged a moment ago.
func (c *Client) warn(text string, why error) {
	now, before := time.Now().UnixNano(), c.warned.Load()
	if now-before > int64(warnEvery) && c.warned.CompareAndSwap(before, now) {
		c.cfg.Logger.Warn(text, "addr", c.cfg.Addr, "reason", why)
	}
}
