package replication

import (
	"fmt"

	"github.com/gospaces/gospaces/internal/record"
)

// Resign ends the epoch of this process, the primary, after the append under way. It names the store that is to claim
// the log next, or "", and tells the primary's clock. Later appends fail with ErrNotPrimary until Claim succeeds. It
// returns the errors of Append; after ErrFailed it is unknown whether the log tells of it.
func (l *Log) Resign(heir string, clock record.Clock) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return l.failed
	}
	msg := record.AppendHeader(nil, record.Header{Type: record.Resign, Epoch: l.epoch, Clock: clock})
	msg = append(msg, heir...)
	if err := l.resignLocked(msg); err != nil {
		l.failLocked(fmt.Errorf("resign from log %v: %w", l.id, err))
		return l.failed
	}
	l.failLocked(fmt.Errorf("%w: it has resigned from log %v", ErrNotPrimary, l.id))
	return nil
}

func (l *Log) resignLocked(msg []byte) error {
	if err := l.home.present(); err != nil {
		return err
	}
	pos, err := l.storeLocked(msg)
	if err != nil {
		return err
	}
	l.appended(pos, len(msg), true)
	l.learn(message{pos: pos, data: msg})
	return nil
}
