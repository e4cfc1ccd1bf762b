package replication

import (
	"bytes"
	"fmt"
)

// republish is the number of times that a message is sent again if its outcome is unknown because the connection broke.
const republish = 3

// publishLocked stores msg at the position after last and finds out whether it is there. If the connection breaks it
// sends the same bytes to the same position again: they are either accepted, or the message at that position gives the
// answer.
func (l *alone) publishLocked(msg []byte, last uint64) (uint64, error) {
	pos, err := l.pub.publish(msg, last)
	for try := 0; unknown(err) && try < republish; try++ {
		if cause := l.connectLocked(); cause != nil {
			return 0, fmt.Errorf("%w: %w, then %v", ErrFailed, err, cause) // only this is sure
		}
		if pos, err = l.pub.publish(msg, last); refusedFor(err, codeWrongLast) {
			return l.landed(msg, last+1)
		}
	}
	return pos, l.outcome(err)
}

// connectLocked replaces the publisher.
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
	l.pub = p
	return nil
}

// landed returns pos if the message there is msg, which was sent twice, and ErrFenced if it is another.
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
