package replication

import (
	"context"
	"errors"
	"fmt"

	"github.com/gospaces/gospaces/internal/record"
)

// Follow calls fn for every message after position after, in order and each once: first what is there, then what is
// appended, as soon as it is stored. A message that does not count, such as a claim, is a group without records, so
// that a reader knows when it has seen all up to Last. It blocks until ctx ends (it returns its cause), fn returns an
// error (which it returns), the store is closed, or the log cannot be read. It returns ErrPosition if the log ends
// before after, or begins behind it. It makes no claim and disturbs no primary, this process or another: what another
// appends it sees within pollPause. The group's records are valid only during fn.
func (l *Log) Follow(ctx context.Context, after uint64, fn func(record.Group) error) error {
	ctx, cancel := l.store.bound(ctx)
	defer cancel()
	if err := l.follow(ctx, after, fn); err != nil {
		return fmt.Errorf("follow log %v: %w", l.id, err)
	}
	return nil
}

func (l *Log) follow(ctx context.Context, after uint64, fn func(record.Group) error) error {
	st, err := l.serverState(ctx)
	if err != nil {
		return err
	}
	if after > st.LastSeq || after+1 < st.FirstSeq {
		return fmt.Errorf("%w: %d; the log holds %d to %d", ErrPosition, after, st.FirstSeq, st.LastSeq)
	}
	if after >= st.FirstSeq && after > 0 {
		// A reader that was ahead of what power loss has left must not go on as if nothing had happened.
		err := l.read(ctx, after, after, func(message) error { return nil })
		if errors.Is(err, ErrDamaged) {
			return fmt.Errorf("%w: %d is lost", ErrPosition, after)
		}
		if err != nil {
			return err
		}
	}
	f, err := l.foldAfter(ctx, after)
	if err != nil {
		return err
	}
	return l.read(ctx, after+1, endless, func(m message) error {
		g, _, err := l.next(&f, m)
		if err != nil {
			return err
		}
		return fn(g)
	})
}

// next returns the group of a message that was read and whether it counts, and takes note of the message.
func (l *Log) next(f *fold, m message) (g record.Group, ok bool, err error) {
	if g, ok, err = f.next(m); err != nil {
		return g, ok, err
	}
	l.noted(m.pos, f.epoch == m.pos)
	if f.epoch == m.pos {
		l.learn(m)
	}
	return g, ok, nil
}

// foldAfter returns what decides which messages after a position count.
func (l *Log) foldAfter(ctx context.Context, pos uint64) (f fold, err error) {
	f.epoch, err = l.epochAt(ctx, pos)
	return f, err
}

// epochAt returns the epoch that holds after a position. In a process that has loaded a snapshot of the log, or read it
// from the beginning, that is known; otherwise it reads what it has not yet seen of the log up to there.
func (l *Log) epochAt(ctx context.Context, pos uint64) (uint64, error) {
	epoch, seen, known := l.seen(pos)
	if known {
		return epoch, nil
	}
	f := fold{epoch: epoch}
	err := l.read(ctx, seen+1, pos, func(m message) error { return l.step(&f, m, ignore) })
	return f.epoch, err
}

func ignore(record.Group) error { return nil }

// seen returns the epoch at pos if it is known; otherwise the last position whose epoch is, and that.
func (l *Log) seen(pos uint64) (epoch, seen uint64, known bool) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	if epoch, known = l.claims.epoch(pos); known {
		return epoch, pos, true
	}
	epoch, _ = l.claims.epoch(l.claims.upto)
	return epoch, l.claims.upto, false
}
