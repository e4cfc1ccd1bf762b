package replication

import (
	"context"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// Log is the log of one partition. All methods may be called concurrently; appends are serialized.
type Log struct {
	store *Store
	id    logID
	name  string // under which it claims
	home  home

	life context.Context // ends when the log, or the store, is closed; calls that wait end with it
	end  context.CancelCauseFunc

	// mu is held by Append, Claim and Resign from start to end.
	mu     sync.Mutex
	pub    *publisher // guarded by mu; nil before the first Claim
	epoch  uint64     // guarded by mu
	last   uint64     // guarded by mu; the position after which the next append is stored
	failed error      // guarded by mu; the error of appends

	// state is a copy for observers, so that they do not wait for the disk. Its lock is taken after mu.
	stateMu sync.Mutex
	state   Stats    // guarded by stateMu
	claims  claims   // guarded by stateMu
	primary Primary  // guarded by stateMu
	damaged []uint64 // guarded by stateMu; snapshots that Load has found damaged
	extent  extent   // guarded by stateMu
	origin  *Origin  // guarded by stateMu; the Origin itself never changes

	incarnation string        // guarded by stateMu
	at          mark          // guarded by stateMu; the last message that this process knows
	grown       chan struct{} // guarded by stateMu; closed when state.Last rises; nil if no reader waits
}

// Stats describes a log.
type Stats struct {
	First, Last uint64 // positions; the log is empty if Last is 0
	Messages    uint64
	Bytes       int64  // in the log's files
	Appended    int64  // by this process, or present at its start: unlike Bytes it only grows
	MaxBytes    int64  // limit of Bytes, or 0
	Epoch       uint64 // of this process as the primary, or 0
	Failed      error  // the error of appends, or nil
}

// newLog returns a log that lacks its home and its name.
func newLog(s *Store, id logID) *Log {
	l := &Log{store: s, id: id, failed: ErrNotPrimary}
	l.life, l.end = context.WithCancelCause(s.life)
	l.state.Failed = ErrNotPrimary
	return l
}

// Close ends this process's use of the log: calls that wait return ErrClosed, and so do later ones. After an Append or
// a Claim that has ended so it is unknown whether its message is stored. Store.Log opens the log anew.
func (l *Log) Close() {
	l.end(ErrClosed)
	l.store.opening.Lock()
	if l.store.logs[l.id] == l {
		delete(l.store.logs, l.id)
	}
	l.store.opening.Unlock()
	l.shut()
}

// bound returns a context that also ends, with ErrClosed, when the log is closed.
func (l *Log) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return bound(ctx, l.life)
}

// Incarnation returns the identity of the log: positions are comparable only within one. The log gets it when it is
// created, and another when a loss is accepted. In a cluster it is read from the log: it is "" until CatchUp or Load
// have found it.
func (l *Log) Incarnation() string {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	return l.incarnation
}

// Last returns the position of the last message known to this process, or 0.
func (l *Log) Last() uint64 { return l.Stats().Last }

// Stats returns the state of the log known to this process. It does not block.
func (l *Log) Stats() Stats {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	return l.state
}

// observe takes over the state reported by the server.
func (l *Log) observe(st jetstream.StreamState) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	l.state.First, l.state.Last = st.FirstSeq, st.LastSeq
	l.state.Messages, l.state.Bytes = st.Msgs, int64(st.Bytes)
	l.state.Appended = max(l.state.Appended, l.state.Bytes)
	l.state.MaxBytes = l.store.cfg.MaxBytes
	if len(l.extent.marks) == 0 {
		l.extent.begin(max(st.FirstSeq, 1)-1, l.state.Appended-l.state.Bytes)
	}
	l.extent.note(st.LastSeq, l.state.Appended)
	l.grewLocked()
}

// observeAsFollower is observe for a follower. A primary knows better.
func (l *Log) observeAsFollower(st jetstream.StreamState) {
	if l.Stats().Epoch == 0 {
		l.observe(st)
	}
}

// grewLocked wakes the readers that wait for the log to grow. stateMu is held.
func (l *Log) grewLocked() {
	if l.grown != nil {
		close(l.grown)
		l.grown = nil
	}
}

// await returns once this process knows of a message at pos, or the cause of ctx's end.
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

// growth returns a channel that is closed when the log has grown, or nil if it reaches pos.
func (l *Log) growth(pos uint64) (grown <-chan struct{}) {
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

// failLocked sets the error of appends; nil if they work. l.mu is held.
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

// shut ends appending permanently, after the current append.
func (l *Log) shut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.home.shut()
	l.failLocked(ErrClosed)
	if l.pub != nil {
		l.pub.close()
		l.pub = nil
	}
}
