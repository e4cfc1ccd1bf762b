package replication

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/gospaces/gospaces/internal/record"
)

// CatchUp calls apply for every message after a position, up to the current end of the log, in order and each once. The
// position is 0, or what Load has returned. CatchUp returns the position of the end: Claim follows it, or Follow goes
// on after it. A message without effect is a group without records. CatchUp repairs what an error of Append has left
// behind, even if that takes a restart of the embedded server; the log does not change.
//
// It blocks until all is read, without a time limit, unless ctx ends, apply returns an error, or the store is closed.
// It returns ErrDamaged for a log with a message that no primary wrote, and ErrPosition if the log begins after the
// position. For a log that ends before the position, as after a restore, it returns the position itself. The group's
// records are valid only during apply. progress, if not nil, is called after every message; done and total count
// messages.
func (l *Log) CatchUp(
	ctx context.Context, after uint64, apply func(record.Group) error, progress func(done, total uint64),
) (end uint64, err error) {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	if progress == nil {
		progress = func(uint64, uint64) {}
	}
	if end, err = l.home.catchUp(ctx, after, apply, progress); err != nil {
		return 0, fmt.Errorf("read log %v: %w", l.id, err)
	}
	return end, nil
}

// step applies one message that was read.
func (l *Log) step(f *fold, m message, apply func(record.Group) error) error {
	g, _, err := l.next(f, m)
	if err != nil {
		return err
	}
	if err := apply(g); err != nil {
		return fmt.Errorf("position %d: %w", m.pos, err)
	}
	return nil
}

// serverState asks the server for the state of the log.
func (l *Log) serverState(ctx context.Context) (jetstream.StreamState, error) {
	srv, err := l.store.server()
	if err != nil {
		return jetstream.StreamState{}, err
	}
	st, err := srv.js.Stream(ctx, l.id.stream())
	if err != nil {
		return jetstream.StreamState{}, failedOr(ctx, err)
	}
	return st.CachedInfo().State, nil
}

// failedOr returns the cause of ctx's end, if it has ended; otherwise that the log failed.
func failedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrFailed, err)
}

// noted records a message that was read, and whether an epoch begins or ends there. A follower learns from it how far
// the log has come.
func (l *Log) noted(m message, epoch bool) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	l.claims.note(m.pos, epoch)
	if m.pos >= l.at.position {
		l.at = mark{m.pos, m.time, true}
	}
	if l.state.Epoch == 0 && m.pos > l.state.Last {
		l.grownLocked(m.pos, len(m.data))
	}
}

// lost records that there are no messages between pos and the message at found.
func (l *Log) lost(pos, found uint64) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	l.claims.skip(pos, found)
}
