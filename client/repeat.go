package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
)

// A call that changes something, was sent, and has lost its session is sent again with its number, as one that is
// repeated: the server then tells what it has done, or executes it if it has done nothing. So a restart of the server
// goes unnoticed, too.

// known is what the server told last of a link's session with one partition.
type known struct {
	session     uint64
	incarnation string
	forgotten   uint64 // the epoch in which it turned out that the space knows nothing of the calls of earlier ones
}

// knownLocked returns what is known of s.
func (l *link) knownLocked(s *Space) *known {
	for uint64(len(l.spaces)) <= s.handle {
		l.spaces = append(l.spaces, known{})
	}
	return &l.spaces[s.handle]
}

// openedLocked notes what the server told when s was opened.
func (l *link) openedLocked(s *Space, o *wire.Opened) {
	k := l.knownLocked(s)
	if o.Lost || k.incarnation != "" && k.incarnation != o.Incarnation {
		k.forgotten = l.viewLocked(s).epoch
	}
	k.session, k.incarnation = o.Session, o.Incarnation
}

// recorded reports whether the partition keeps the outcome of c until it is received.
func (c *pendingCall) recorded() bool {
	switch {
	case !c.entry().Recorded():
		return false
	case c.op == wire.Commit: // by the home of the transaction
		return c.about().Home() == c.space.at
	case c.op == wire.Find && (!c.take || c.query.Begin):
		return false
	}
	return c.about().IsZero()
}

// oweLocked notes that c, whose outcome was lost, is to be repeated. Until all such calls were sent again the server
// must not believe that the client has all it has asked for.
func (l *link) oweLocked(c *pendingCall) {
	if !c.owing {
		c.owing = true
		l.owed++
	}
}

func (l *link) paidLocked(c *pendingCall) {
	if c.owing {
		c.owing = false
		l.owed--
	}
}

// giveUp notes that c will not be repeated. If it was to be, the space is asked in the background what has become of
// it.
func (l *link) giveUp(c *pendingCall) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.owing && !c.posthumous && c.outlives() {
		l.askLocked(l.orphanLocked(c))
	}
	l.paidLocked(c)
}

// errForgotten ends calls that the space does not know any more.
var errForgotten = errors.New("the space has forgotten what became of it while the client was away")

// repeatableLocked returns nil if c, which was sent before, may be sent to the present server.
func (l *link) repeatableLocked(c *pendingCall) error {
	if !l.repeats || c.born < l.knownLocked(c.space).forgotten {
		return errForgotten
	}
	return nil
}

// repeat sends c, which link l owes, until its outcome is known, or no caller waits for it any more. It returns
// wire.ErrInterrupted if c was not executed, and may be made again as another call.
func (c *Client) repeat(ctx context.Context, l *link, callID *pendingCall) error {
	defer l.giveUp(callID)
	patient, cancel := patience(ctx, l.cfg.Grace)
	defer cancel()
	callID.repeated, callID.link = true, l
	for pauses := l.cfg.backoff(); ; {
		callID.renew()
		callID.ask = callID.posthumous || ctx.Err() != nil
		err := l.send(patient, callID)
		if err == nil {
			err = l.await(ctx, callID)
			if !callID.owing {
				return err
			}
		} else if err == errForgotten {
			return unknown(err)
		} else if err = callID.prepare(patient, l, err); err == nil || err == errNotOpen || err == errLost {
			continue
		} else if !callID.posthumous && callID.space.isClosed() || l.isClosed() || !passes(err) {
			return unknown(err)
		}
		if err == errLost {
			continue
		}
		if pauses.Wait(patient) != nil { // the server is up, but the space is not
			return unknown(context.Cause(patient))
		}
	}
}

// patience returns a context that outlives ctx by grace. The call's own wait does not bound it: what the call has done
// is done.
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

// passes reports whether err, with which the preparation of a repeated call ended, may be another one the next time.
func passes(err error) bool {
	return slices.ContainsFunc([]error{space.ErrUnavailable, space.ErrClosed, wire.ErrInterrupted, wire.ErrInDoubt}, func(e error) bool {
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

// processName tells people which process has what it has taken.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s:%d", host, os.Getpid())
}

// identity returns a new name for a client, which cannot be guessed.
func identity() (id call.Client) {
	_, _ = rand.Read(id[:]) // it never fails
	return id
}
