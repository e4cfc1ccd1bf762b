package replication

import (
	"errors"
	"fmt"
)

// In a cluster only the log itself tells which log it is. A stream in memory that all of its nodes have lost comes back
// with the same name and description, and begins at position 1. So the first claim gives the log a random incarnation,
// which each later claim repeats. Between two claims a message is known by its position and the time at which the
// leader of the stream stored it, which is the same on all replicas.

// mark is a message that a process knows.
type mark struct {
	position uint64
	time     int64 // at which it was stored, in nanoseconds since the Unix epoch; 0: not known
	read     bool  // in the log, by this process; otherwise a snapshot tells of it
}

// errOther is returned for a log other than that of a snapshot or an earlier claim.
var errOther = fmt.Errorf("%w: the log has begun anew", ErrPosition)

// prove compares a message of the log with what is known of it.
func (l *Log) prove(known mark, found message) error {
	if found.pos == known.position && found.time == known.time {
		l.stateMu.Lock()
		defer l.stateMu.Unlock()
		if l.at.position == known.position {
			l.at.read = true
		}
		return nil
	}
	l.discount(known.position)
	return fmt.Errorf("%w: the message at position %d is not the one that the snapshot is of", errOther, found.pos)
}

// known returns the last message that this process knows.
func (l *Log) known() mark {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	return l.at
}

// recognize takes over the incarnation that a claim tells.
func (l *Log) recognize(as intent, position uint64) error {
	if as.incarnation == "" {
		return fmt.Errorf("%w: position %d: a claim without an incarnation", ErrDamaged, position)
	}
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	was := l.incarnation
	l.incarnation = as.incarnation
	if was == "" || was == as.incarnation || as.follows == 0 || as.loss > 0 {
		return nil
	}
	return fmt.Errorf("%w: position %d is of log %s, what was before of log %s", errOther, position, as.incarnation, was)
}

// errUnread is returned when this node lags behind the log.
var errUnread = errors.New("it cannot be read here yet")
