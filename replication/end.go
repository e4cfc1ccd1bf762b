package replication

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/gospaces/gospaces/internal/record"
)

func (l *alone) catchUp(
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
	end = min(end, st.LastSeq) // it may have grown since it was asked for, and this process knows of no more
	l.note(ending{follows: max(end, after), last: st.LastSeq})
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
func (l *alone) repair(ctx context.Context) error {
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
func (l *alone) refused() error {
	srv, err := l.store.server()
	if err != nil {
		return err
	}
	return srv.refused.of(l.id)
}

// lastThere returns the position of the last message that exists.
func (l *alone) lastThere(ctx context.Context, st jetstream.StreamState) (uint64, error) {
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
func (l *alone) readableEnd(ctx context.Context, st jetstream.StreamState) (uint64, error) {
	end, err := l.lastThere(ctx, st)
	if err != nil {
		return 0, err
	}
	if end < st.LastSeq && l.store.cfg.Sync && !l.store.cfg.AcceptLoss {
		return 0, fmt.Errorf("%w: position %d is missing", ErrDamaged, end+1)
	}
	return end, nil
}

func (l *alone) lastMessage(ctx context.Context) (uint64, error) {
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

// reaches returns ErrPosition if the log does not hold what follows a position: the log begins after it, ends before
// it, or has lost the message there. A reader must not go on as if nothing had happened.
func (l *alone) reaches(ctx context.Context, after uint64) error {
	first, found, err := l.look(ctx, max(after, 1))
	if err != nil {
		return err
	}
	follows, claim := claimFollows(first.data)
	switch {
	case !found:
		return l.endsAt(ctx, after)
	case first.pos == after || first.pos > after && claim && follows == after:
		return nil
	case claim && follows < after:
		return fmt.Errorf("%w: %d is lost", ErrPosition, after)
	case first.pos > after+1:
		return fmt.Errorf("%w: %d; the log begins at %d", ErrPosition, after, first.pos)
	}
	return nil
}

// endsAt returns ErrPosition if a log that has no message from a position on ends before it.
func (l *alone) endsAt(ctx context.Context, position uint64) error {
	if position == 0 {
		return nil
	}
	st, err := l.serverState(ctx)
	if err == nil && st.LastSeq != position {
		err = fmt.Errorf("%w: %d; the log holds %d to %d", ErrPosition, position, st.FirstSeq, st.LastSeq)
	}
	return err
}
