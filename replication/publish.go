package replication

import (
	"bytes"
	"fmt"
)

// republish is the number of times that a message is sent again if its outcome is unknown because the connection broke.
const republish = 3

// publishLocked stores msg at the position after last, and finds out whether it is there. It stores it directly if the
// stream takes it at once; otherwise publishing tells why. If the connection breaks and the outcome is unknown, it
// sends the same bytes to the same position again: they are accepted, or the message at that position tells.
func (l *alone) publishLocked(msg []byte, last uint64) (uint64, error) {
	stored, err := l.direct.store(msg, last)
	if stored {
		return last + 1, nil
	}
	for sent, try := err == nil, 0; ; try++ {
		pos, err := l.pub.publish(msg, last)
		switch {
		case sent && refusedFor(err, codeWrongLast):
			return l.landed(msg, last+1)
		case !unknown(err), try == republish:
			return pos, l.outcome(err)
		}
		sent = true
		if cause := l.connectLocked(); cause != nil {
			return 0, fmt.Errorf("%w: %w, then %v", ErrFailed, err, cause) // only this is sure
		}
	}
}

// connectLocked replaces the publisher and the direct.
func (l *alone) connectLocked() error {
	srv, err := l.store.server()
	if err != nil {
		return err
	}
	if err := srv.usable(l.id.stream()); err != nil {
		return err
	}
	p, err := srv.publisher(l.id)
	if err != nil {
		return err
	}
	if l.pub != nil {
		l.pub.close()
	}
	l.pub, l.direct = p, newDirect(srv.srv, l.id)
	return nil
}

// landed returns pos if the message there is msg, which was sent twice, and ErrFenced if it is another one.
func (l *alone) landed(msg []byte, pos uint64) (uint64, error) {
	stored, _, err := l.look(l.store.life, pos)
	if err != nil {
		return 0, fmt.Errorf("%w: %v", ErrFailed, err) // only this is sure
	}
	if stored.pos != pos || !bytes.Equal(stored.data, msg) {
		return 0, fmt.Errorf("%w: position %d is not ours", ErrFenced, pos)
	}
	return pos, nil
}
