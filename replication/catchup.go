package replication

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/gospaces/gospaces/internal/record"
)

// CatchUp calls apply for every message after a position, 0 or what Load has returned, up to the end that the log has
// now, in order and each once, and returns the position of that end: Claim follows it, or Follow goes on after it. A
// message that does not count is a group without records. It repairs what an error of Append has left behind, if that
// needs a restart of the embedded server too, and changes nothing in the log.
//
// It blocks until all is read, without a limit of time, unless ctx ends, apply returns an error, or the store is
// closed. It returns ErrDamaged for a log with something in it that no primary wrote, and ErrPosition if the log does
// not reach back to the position. A log that ends before the position, as after a restore, has nothing to hand over:
// then the position itself is returned. The group's records are valid only during apply. progress, if not nil, is
// called after every message; done and total count messages.
func (l *Log) CatchUp(
	ctx context.Context, after uint64, apply func(record.Group) error, progress func(done, total uint64),
) (end uint64, err error) {
	ctx, cancel := l.store.bound(ctx)
	defer cancel()
	if progress == nil {
		progress = func(uint64, uint64) {}
	}
	if end, err = l.catchUp(ctx, after, apply, progress); err != nil {
		return 0, fmt.Errorf("read log %v: %w", l.id, err)
	}
	return end, nil
}

func (l *Log) catchUp(
	ctx context.Context, after uint64, apply func(record.Group) error, progress func(done, total uint64),
) (end uint64, err error) {
	if err := l.repair(ctx); err != nil {
		return 0, err
	}
	st, err := l.serverState(ctx)
	if err != nil {
		return 0, err
	}
	l.observeAsFollower(st)
	if st.LastSeq > 0 && st.FirstSeq > after+1 {
		return 0, fmt.Errorf("%w: the log begins at position %d, and there is no good snapshot of the state at %d or later",
			ErrPosition, st.FirstSeq, st.FirstSeq-1)
	}
	if end, err = l.readableEnd(ctx, st); err != nil {
		return 0, err
	}
	l.note(ending{follows: max(end, after), last: max(end, st.LastSeq)}) // it may have grown since it was asked for
	if end <= after {
		return after, nil
	}
	f, err := l.foldAfter(ctx, after)
	if err != nil {
		return 0, err
	}
	return end, l.read(ctx, after+1, end, func(m message) error {
		if err := l.step(&f, m, apply); err != nil {
			return err
		}
		progress(m.pos, end)
		return nil
	})
}

// repair makes the log usable after an error, unless the error is permanent.
func (l *Log) repair(ctx context.Context) error {
	if err := l.present(); err != nil {
		return err
	}
	if err := l.store.heal(ctx, l.id.stream()); err != nil {
		return err
	}
	return l.refused()
}

// refused returns the error if the server must not see the log: its files were found damaged when the server was
// restarted.
func (l *Log) refused() error {
	srv, err := l.store.server()
	if err != nil {
		return err
	}
	return srv.refused.of(l.id)
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

// lastThere returns the position of the last message that exists.
func (l *Log) lastThere(ctx context.Context, st jetstream.StreamState) (uint64, error) {
	if st.Msgs == 0 {
		return st.LastSeq, nil
	}
	end, err := l.lastMessage(ctx)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, fmt.Errorf("%w: position %d cannot be read", ErrDamaged, st.LastSeq)
	}
	if err != nil {
		return 0, failedOr(ctx, err)
	}
	return end, nil
}

// readableEnd is lastThere for a primary. It differs from the end of the log if power was lost before the end reached
// the disk: a store without Sync may lose that; otherwise it is damage, unless it is accepted.
func (l *Log) readableEnd(ctx context.Context, st jetstream.StreamState) (uint64, error) {
	end, err := l.lastThere(ctx, st)
	if err != nil {
		return 0, err
	}
	if end < st.LastSeq && l.store.cfg.Sync && !l.store.cfg.AcceptLoss {
		return 0, fmt.Errorf("%w: position %d is missing", ErrDamaged, end+1)
	}
	return end, nil
}

func (l *Log) lastMessage(ctx context.Context) (uint64, error) {
	srv, err := l.store.server()
	if err != nil {
		return 0, err
	}
	st, err := srv.js.Stream(ctx, l.id.stream())
	if err != nil {
		return 0, err
	}
	m, err := st.GetLastMsgForSubject(ctx, l.id.subject())
	if err != nil {
		return 0, err
	}
	return m.Sequence, nil
}

// noted takes note of a message that was read, and whether an epoch begins, or ends, there; a follower learns by it how
// far the log has come.
func (l *Log) noted(m message, epoch bool) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	l.claims.note(m.pos, epoch)
	if l.state.Epoch == 0 && m.pos > l.state.Last {
		l.grownLocked(m.pos, len(m.data))
	}
}

// lost records that there is nothing between pos and the message at found.
func (l *Log) lost(pos, found uint64) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	l.claims.skip(pos, found)
}
