package replication

import (
	"errors"
	"fmt"

	"github.com/gospaces/gospaces/internal/record"
)

// Append stores msg and returns when it is durable: on disk with Config.Sync, otherwise with the operating system. The
// first record.HeaderSize bytes of msg are its header. The caller may have set the clock in it (record.SetClock);
// Append overwrites the rest. It does not keep msg.
//
// An error is final: every later Append returns the same one, until Claim succeeds. After ErrFull, ErrGone, ErrFenced,
// ErrTooLarge, ErrNotPrimary and ErrClosed msg is not stored; after ErrFailed that is unknown. A log never claims by
// itself.
func (l *Log) Append(msg []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return l.failed
	}
	if err := l.appendLocked(msg); err != nil {
		l.failLocked(fmt.Errorf("append to log %v: %w", l.id, err))
	}
	return l.failed
}

func (l *Log) appendLocked(msg []byte) error {
	if len(msg) < record.HeaderSize || len(msg) > MaxMessage {
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, len(msg))
	}
	if err := l.home.admit(len(msg)); err != nil {
		return err
	}
	record.AppendHeader(msg[:0], record.Header{
		Type: record.Commit, Epoch: l.epoch, Clock: record.ClockOf(msg),
	})
	pos, err := l.storeLocked(msg)
	if err != nil {
		return err
	}
	l.appended(pos, len(msg), false)
	return nil
}

// storeLocked stores a message of this process, the primary, at the expected end of the log.
func (l *Log) storeLocked(msg []byte) (pos uint64, err error) {
	if pos, err = l.home.publish(l.life, msg, l.last); err != nil {
		return 0, err
	}
	if pos != l.last+1 {
		return 0, fmt.Errorf("%w: message for position %d was stored at %d", ErrFailed, l.last+1, pos)
	}
	l.last = pos
	return pos, nil
}

// appended records that a message of n bytes was stored, and whether it ends the epoch.
func (l *Log) appended(pos uint64, n int, ends bool) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	l.claims.note(pos, ends)
	l.at = mark{position: pos, read: true}
	l.grownLocked(pos, n)
}

// grownLocked notes that the last message is at a position, and has n bytes. stateMu is held.
func (l *Log) grownLocked(pos uint64, n int) {
	if l.state.Messages == 0 {
		l.state.First = pos
	}
	l.state.Last = pos
	l.state.Messages++
	l.state.Bytes += l.storedSize(n, pos-1)
	l.state.Appended += l.storedSize(n, pos-1)
	l.extent.note(pos, l.state.Appended)
	l.grewLocked()
}

// storedSize returns the size of a message in the files of the stream: lengths, position, time, subject, header, data
// and checksum.
func (l *Log) storedSize(n int, last uint64) int64 {
	const lengths, checksum = 26, 8
	var header [64]byte
	return int64(lengths + len(l.id.subject()) + len(appendHeader(header[:0], last)) + n + checksum)
}

// Error codes of JetStream.
const (
	codeWrongLast   = 10071 // the last position differs from the expected one
	codeStoreFailed = 10077 // the limits of the stream do not admit the message
)

func unknown(err error) bool {
	var r *refusal
	return err != nil && !errors.As(err, &r)
}

func refusedFor(err error, code int) bool {
	var r *refusal
	return errors.As(err, &r) && r.Code == code
}

// outcome translates an error of publish.
func (l *Log) outcome(err error) error {
	switch {
	case err == nil:
		return nil
	case refusedFor(err, codeWrongLast):
		return fmt.Errorf("%w: %w", ErrFenced, err)
	case refusedFor(err, codeStoreFailed) && l.store.cfg.MaxBytes > 0:
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return fmt.Errorf("%w: %w", ErrFailed, err)
}
