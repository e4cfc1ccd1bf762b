package replication

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	// patience is how long an acknowledgement may take before the message is sent again. Each patienceBytes of the
	// message add a millisecond.
	patience      = 250 * time.Millisecond
	patienceBytes = 16 << 10

	// sendPause is the pause before a message that was refused for the moment is sent again.
	sendPause = 10 * time.Millisecond
)

// publish sends the message to the stream's current leader, always for the same position, until it is known that the
// leader has stored it, or another message is there. So it is stored at most once, and the log can take nothing else
// meanwhile. Without a majority of its nodes a log waits.
func (l *shared) publish(ctx context.Context, msg []byte, last uint64) (uint64, error) {
	l.since.Store(int64(time.Since(started)))
	defer l.since.Store(0)
	for sent := false; ; {
		pos, err := l.send(msg, last)
		switch {
		case err == nil:
			return pos, nil
		case refusedFor(err, codeWrongLast):
			if pos, err = l.landedAt(ctx, msg, last+1); err == nil || errors.Is(err, ErrFenced) {
				return pos, err
			}
		case refusedFor(err, codeStoreFailed) && !sent && l.store.cfg.MaxBytes > 0:
			return 0, fmt.Errorf("%w: %w", ErrFull, err)
		}
		sent = sent || unknown(err) && !errors.Is(err, errUnserved)
		if err := l.hold(ctx, err); err != nil {
			return 0, err
		}
	}
}

// hold waits before a message is sent again after an error. It returns an error if it must not be sent again.
func (l *shared) hold(ctx context.Context, err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		_ = pause(ctx, sendPause)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w, after %v", ErrFailed, context.Cause(ctx), err)
	}
	return l.present()
}

// send sends a message once, and waits for its acknowledgement for a while.
func (l *shared) send(msg []byte, last uint64) (pos uint64, err error) {
	if l.pub == nil {
		if l.pub, err = l.srv.sender(l.id); err != nil {
			return 0, err
		}
	}
	if pos, err = l.pub.attempt(msg, last); unknown(err) && !again(err) {
		l.pub.close()
		l.pub = nil
	}
	return pos, err
}

// again reports whether a publisher can be used after an error.
func again(err error) bool {
	return errors.Is(err, errUnserved) || errors.Is(err, os.ErrDeadlineExceeded)
}

// attempt sends a message, and waits for its acknowledgement for a while. It returns os.ErrDeadlineExceeded if there
// was none; then the publisher can be used again. Answers to other messages are skipped.
func (p *publisher) attempt(msg []byte, last uint64) (uint64, error) {
	if err := p.send(msg, last); err != nil {
		return 0, err
	}
	wait := patience + time.Duration(len(msg)/patienceBytes)*time.Millisecond
	if err := p.conn.net.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return 0, err
	}
	for {
		pos, err := p.position()
		var r *refusal
		heard := err == nil || errors.As(err, &r) || errors.Is(err, errUnserved)
		if !heard || p.conn.number == last {
			return pos, err
		}
	}
}

// landedAt returns pos if the message there is msg, ErrFenced if it is another, and errUnread if this node cannot tell
// yet.
func (l *shared) landedAt(ctx context.Context, msg []byte, pos uint64) (uint64, error) {
	stored, found, err := l.look(ctx, pos)
	switch {
	case err != nil:
		return 0, err
	case !found:
		return 0, errUnread
	case stored.pos != pos || !bytes.Equal(stored.data, msg):
		return 0, fmt.Errorf("%w: position %d is not ours", ErrFenced, pos)
	}
	return pos, nil
}

// Overdue returns how long the append under way has waited for its acknowledgement; 0 if there is none, and in a server
// that is alone. It does not block.
func (l *Log) Overdue() time.Duration {
	s, ok := l.home.(*shared)
	if !ok {
		return 0
	}
	since := s.since.Load()
	if since == 0 {
		return 0
	}
	return time.Since(started) - time.Duration(since)
}

// started is the reference for times in this process.
var started = time.Now()
