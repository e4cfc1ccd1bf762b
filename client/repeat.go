package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
)

// A call that changes something, and whose session was lost after it was sent, is sent again with its number, marked as
// repeated: the server then returns the outcome, or executes the call if it has not done so. So a restart of the server
// goes unnoticed.

// recorded reports whether the partition keeps the outcome of c until it is received.
func (c *pendingCall) recorded() bool {
	switch {
	case !c.entry().Recorded():
		return false
	case c.op == wire.Commit: // by the home of the transaction
		return c.about().Home() == c.part.at
	case c.op == wire.Find && (!c.take || c.query.Begin):
		return false
	}
	return c.about().IsZero()
}

// giveUp records that c will not be repeated. If it was to be, the space is asked for its outcome in the background.
func (l *link) giveUp(c *pendingCall) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.owing && !c.posthumous && c.outlives() {
		l.askLocked(l.orphanLocked(c))
	}
	l.calls.pay(c)
}

// errForgotten ends calls that the space no longer knows.
var errForgotten = errors.New("the space has forgotten what became of it while the client was away")

// repeat sends the call, which the lane of link l owes, until its outcome is known, or no caller waits for it. It
// returns wire.ErrInterrupted if the call was not executed, and may be made again as a new call.
func (c *Client) repeat(ctx context.Context, l *link, callID *pendingCall) error {
	defer func() { l.giveUp(callID) }()
	patient, cancel := patience(ctx, l.cfg.Grace)
	defer cancel()
	callID.repeated, callID.lane = true, l.lane
	for pauses := l.cfg.backoff(); ; {
		callID.renew()
		callID.ask = callID.posthumous || ctx.Err() != nil
		l = callID.linkFor()
		err := l.send(patient, callID)
		if err == nil {
			err = l.await(ctx, callID)
			if !callID.owing {
				return err
			}
		} else if err == errForgotten {
			return unknown(err)
		} else if err = callID.prepare(patient, l, err); err == nil || err == errNotOpen || err == errLost ||
			err == errAstray {
			continue
		} else if !callID.posthumous && callID.part.isClosed() || l.life.isOver() || !passes(err) {
			return unknown(err)
		}
		if err == errLost || unready(err) && l.client.followed(patient, callID.part, l.node, err) == nil {
			continue
		}
		if pauses.Wait(patient) != nil { // the server is up, but the space is not
			return unknown(context.Cause(patient))
		}
	}
}

// patience returns a context that lasts longer than ctx by grace. The call's own wait does not limit it, since the call
// may have taken effect.
func patience(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	patient, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case <-t.C:
			cancel(ctx.Err())
		case <-patient.Done():
		}
	})
	return patient, func() { stop(); cancel(nil) }
}

// passes reports whether err, with which the preparation of a repeated call ended, may differ next time. A log that is
// lost stays so until an operator drops the space, or accepts the loss: no caller is to wait for that.
func passes(err error) bool {
	if errors.Is(err, call.ErrLogLost) {
		return false
	}
	return slices.ContainsFunc([]error{space.ErrUnavailable, space.ErrClosed, wire.ErrInterrupted, wire.ErrInDoubt},
		func(e error) bool {
			return errors.Is(err, e)
		})
}

// unknown returns the error of a call that could not be repeated, because of err.
func unknown(err error) error {
	if errors.Is(err, space.ErrOutcomeUnknown) {
		return err
	}
	return fmt.Errorf("%w: the connection was lost after the call had been sent: %w", space.ErrOutcomeUnknown, err)
}

// inDoubt reports whether the body of a Failure asks for the call to be repeated.
func inDoubt(failure []byte) bool {
	d := wire.NewDecoder(failure)
	return wire.Code(d.Uvarint()) == codeInDoubt
}

var codeInDoubt = wire.CodeOf(wire.ErrInDoubt)

// processName identifies this process to people as a holder of entries.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s:%d", host, os.Getpid())
}
