package replication

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/gospaces/gospaces/internal/record"
)

// Log is the log of one partition. All methods may be called concurrently; appends take turns.
type Log struct {
	store       *Store
	id          logID
	incarnation string

	// mu is held by Append and Replay from begin to end.
	mu     sync.Mutex
	pub    *publisher // guarded by mu; nil before the first Replay
	epoch  uint64     // guarded by mu
	last   uint64     // guarded by mu; the position after which the next append is to be stored
	failed error      // guarded by mu; why nothing can be appended

	// state is a copy for observers, so that they do not wait for the disk. Its lock is taken after mu.
	stateMu sync.Mutex
	state   Stats         // guarded by stateMu
	claims  claims        // guarded by stateMu
	grown   chan struct{} // guarded by stateMu; closed when state.Last rises; nil if nobody waits
}

// Stats describes a log.
type Stats struct {
	First, Last uint64 // positions; the log is empty if Last is 0
	Messages    uint64
	Bytes       int64  // in the log's files
	MaxBytes    int64  // bound of Bytes, or 0
	Epoch       uint64 // of this process as the primary, or 0
	Failed      error  // why nothing can be appended, or nil
}

func newLog(s *Store, id logID, info *jetstream.StreamInfo) *Log {
	l := &Log{store: s, id: id, incarnation: info.Config.Metadata[metaIncarnation], failed: ErrNotReplayed}
	l.state.Failed = ErrNotReplayed
	l.observe(info.State)
	return l
}

// Incarnation returns the identity of the log: positions are comparable only within one. It was made with the log.
func (l *Log) Incarnation() string { return l.incarnation }

// Last returns the position of the last message that this process knows to be in the log, or 0.
func (l *Log) Last() uint64 { return l.Stats().Last }

// Stats returns the state of the log as this process knows it. It does not block.
func (l *Log) Stats() Stats {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	return l.state
}

// observe takes the state over that the server reports.
func (l *Log) observe(st jetstream.StreamState) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	l.state.First, l.state.Last = st.FirstSeq, st.LastSeq
	l.state.Messages, l.state.Bytes = st.Msgs, int64(st.Bytes)
	l.state.MaxBytes = l.store.cfg.MaxBytes
	l.grewLocked()
}

// grewLocked wakes whoever waits for the log to grow. stateMu is held.
func (l *Log) grewLocked() {
	if l.grown != nil {
		close(l.grown)
		l.grown = nil
	}
}

// await returns once there is something at pos, or the cause of ctx's end.
func (l *Log) await(ctx context.Context, pos uint64) error {
	for {
		grown := l.growth(pos)
		if grown == nil {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// growth returns a channel that is closed when the log has grown, or nil if it reaches pos already.
func (l *Log) growth(pos uint64) <-chan struct{} {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	if pos <= l.state.Last {
		return nil
	}
	if l.grown == nil {
		l.grown = make(chan struct{})
	}
	return l.grown
}

// Append stores msg and returns when it is durable: on disk if Config.Sync is set, otherwise with the operating system. It
// overwrites the first record.HeaderSize bytes of msg, which must be free for that; it does not keep msg.
//
// An error is final: ErrFull, ErrFenced, ErrTooLarge, ErrNotReplayed and ErrClosed tell that msg was not stored, after ErrFailed that is unknown;
// every later Append returns the same, until Replay has succeeded again.
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
	if err := l.store.disk.admit(len(msg)); err != nil {
		return err
	}
	record.AppendHeader(msg[:0], record.Header{Type: record.Commit, Epoch: l.epoch})
	pos, err := l.publishLocked(msg, l.last)
	if err != nil {
		return err
	}
	if pos != l.last+1 {
		return fmt.Errorf("%w: message for position %d was stored at %d", ErrFailed, l.last+1, pos)
	}
	l.last = pos
	l.appended(pos, len(msg))
	return nil
}

// appended notes that a commit of n bytes was stored.
func (l *Log) appended(pos uint64, n int) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	l.state.Last = pos
	l.state.Messages++
	l.state.Bytes += l.storedSize(n, pos-1)
	l.claims.note(pos, false)
	l.grewLocked()
}

// storedSize is what a message takes in the files of the stream: lengths, position and time, subject, header, checksum.
func (l *Log) storedSize(n int, last uint64) int64 {
	const lengths, checksum = 26, 8
	var header [64]byte
	return int64(lengths + len(l.id.subject()) + len(appendHeader(header[:0], last)) + n + checksum)
}

func (l *Log) failLocked(err error) {
	l.failed = err
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	l.state.Failed = err
	if err != nil {
		l.state.Epoch = 0
	} else {
		l.state.Epoch = l.epoch
	}
}

// republish is how often a message is sent again whose outcome is unknown because the connection broke.
const republish = 3

// publishLocked stores msg at the position after last and finds out whether it is there. If the connection breaks it
// sends the same bytes to the same position again: they are either accepted, or what is there tells.
func (l *Log) publishLocked(msg []byte, last uint64) (uint64, error) {
	pos, err := l.pub.publish(msg, last)
	for try := 0; unknown(err) && try < republish; try++ {
		if cause := l.connectLocked(); cause != nil {
			return 0, fmt.Errorf("%w: %w, then %w", ErrFailed, err, cause)
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
	srv, err := l.store.server()
	if err != nil {
		return 0, err
	}
	stored, err := l.get(l.store.life, srv, pos)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrFailed, err)
	}
	if !bytes.Equal(stored, msg) {
		return 0, fmt.Errorf("%w: position %d is not ours", ErrFenced, pos)
	}
	return pos, nil
}

func (l *Log) get(ctx context.Context, srv *embedded, pos uint64) ([]byte, error) {
	st, err := srv.js.Stream(ctx, l.id.stream())
	if err != nil {
		return nil, err
	}
	m, err := st.GetMsg(ctx, pos)
	if err != nil {
		return nil, fmt.Errorf("read position %d: %w", pos, err)
	}
	return m.Data, nil
}

// Error codes of JetStream.
const (
	codeWrongLast   = 10071 // the last position is not the one that the message expects
	codeStoreFailed = 10077 // the stream's bounds do not admit the message
)

func unknown(err error) bool {
	var r *refusal
	return err != nil && !errors.As(err, &r)
}

func refusedFor(err error, code int) bool {
	var r *refusal
	return errors.As(err, &r) && r.Code == code
}

// outcome translates what publish returned.
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

// shut ends appending for good, after the one under way.
func (l *Log) shut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failLocked(ErrClosed)
	if l.pub != nil {
		l.pub.close()
		l.pub = nil
	}
}
