package replication

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/gospaces/gospaces/internal/record"
)

// Append stores msg and returns when it is durable: on disk if Config.Sync is set, otherwise with the operating
// system. The first record.HeaderSize bytes of msg are its header, in which the caller may have set the clock
// (record.SetClock); Append overwrites the rest of it. It does not keep msg.
//
// An error is final: ErrFull, ErrGone, ErrFenced, ErrTooLarge, ErrNotPrimary and ErrClosed tell that msg was not
// stored, after ErrFailed that is unknown; every later Append returns the same, until Claim has succeeded again. A log
// never claims by itself.
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
	if err := l.present(); err != nil {
		return err
	}
	if err := l.store.disk.admit(len(msg)); err != nil {
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
	if pos, err = l.publishLocked(msg, l.last); err != nil {
		return 0, err
	}
	if err := l.storedLocked(len(msg)); err != nil {
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

// storedSize returns the size of a message in the files of the stream: lengths, position and time, subject, header,
// checksum.
func (l *Log) storedSize(n int, last uint64) int64 {
	const lengths, checksum = 26, 8
	var header [64]byte
	return int64(lengths + len(l.id.subject()) + len(appendHeader(header[:0], last)) + n + checksum)
}

// republish is the number of times that a message is sent again if its outcome is unknown because the connection broke.
const republish = 3

// publishLocked stores msg at the position after last and finds out whether it is there. If the connection breaks it
// sends the same bytes to the same position again: they are either accepted, or the message at that position gives the
// answer.
func (l *Log) publishLocked(msg []byte, last uint64) (uint64, error) {
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
func (l *Log) connectLocked() error {
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
func (l *Log) landed(msg []byte, pos uint64) (uint64, error) {
	stored, _, err := l.look(l.store.life, pos)
	if err != nil {
		return 0, fmt.Errorf("%w: %v", ErrFailed, err) // only this is sure
	}
	if stored.pos != pos || !bytes.Equal(stored.data, msg) {
		return 0, fmt.Errorf("%w: position %d is not ours", ErrFenced, pos)
	}
	return pos, nil
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
