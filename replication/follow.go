package replication

import (
	"bytes"
	"context"
	"fmt"

	"github.com/gospaces/gospaces/internal/record"
)

// Follow calls fn for every message after position after, in order and each once: first for those that exist, then for
// each as soon as it is stored. A message without effect, such as a claim, is a group without records, so that a reader
// knows when it has seen all up to Last. Follow makes no claim and disturbs no primary. It sees the appends of other
// processes if Config.Followers is set.
//
// It blocks until ctx ends (it returns the cause), fn returns an error (which it returns), the store is closed, or the
// log cannot be read. It returns ErrPosition if the log ends before after, or begins behind it. The group's records are
// valid only during fn.
func (l *Log) Follow(ctx context.Context, after uint64, fn func(record.Group) error) error {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	if err := l.follow(ctx, after, fn); err != nil {
		return fmt.Errorf("follow log %v: %w", l.id, err)
	}
	return nil
}

func (l *Log) follow(ctx context.Context, after uint64, fn func(record.Group) error) error {
	if err := l.home.reaches(ctx, after); err != nil {
		return err
	}
	f, err := l.foldAfter(ctx, after)
	if err != nil {
		return err
	}
	return l.read(ctx, after+1, endless, func(m message) error { return l.step(&f, m, fn) })
}

// look returns the first message from a position on; false if there is none.
func (l *Log) look(ctx context.Context, from uint64) (first message, found bool, err error) {
	for {
		srv, err := l.store.server()
		if err != nil {
			return first, false, err
		}
		first, found, err = l.lookOn(ctx, srv, from)
		if err == nil || ctx.Err() != nil {
			return first, found, failedOr(ctx, err)
		}
		if err := l.home.unanswered(ctx, srv, false, err); err != nil {
			return first, false, err
		}
	}
}

func (l *Log) lookOn(ctx context.Context, srv *embedded, from uint64) (first message, found bool, err error) {
	f, err := srv.fetcher(l.id)
	if err != nil {
		return first, false, err
	}
	defer f.close()
	defer context.AfterFunc(ctx, f.close)()
	f.limit = l.home.limit()
	err = f.fetch(from, 1, func(m message) error {
		first, found = message{pos: m.pos, time: m.time, data: bytes.Clone(m.data)}, true
		return nil
	})
	return first, found, err
}

// next returns the group of a message that was read and whether it has an effect, and records the message.
func (l *Log) next(f *fold, m message) (g record.Group, ok bool, err error) {
	if g, ok, err = f.next(m); err != nil {
		return g, ok, err
	}
	l.noted(m, f.epoch == m.pos)
	if f.epoch == m.pos {
		l.learn(m)
		err = l.home.learned(m)
	}
	return g, ok, err
}

// foldAfter returns the fold for the messages after a position.
func (l *Log) foldAfter(ctx context.Context, pos uint64) (f fold, err error) {
	f.epoch, err = l.epochAt(ctx, pos)
	return f, err
}

// epochAt returns the epoch after a position. If this process does not know it, because it has neither loaded a
// snapshot of the log nor read it from the beginning, it reads the log up to there.
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

// seen returns the epoch at pos if it is known; otherwise the last position whose epoch is known, and that epoch.
func (l *Log) seen(pos uint64) (epoch, seen uint64, known bool) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	if epoch, known = l.claims.epoch(pos); known {
		return epoch, pos, true
	}
	epoch, _ = l.claims.epoch(l.claims.upto)
	return epoch, l.claims.upto, false
}
