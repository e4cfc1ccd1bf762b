package replication

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/gospaces/gospaces/internal/record"
)

// Replay hands over every group that counts, from the beginning, and then makes this process the primary: it appends a claim, and
// Append works from then on. It repairs what an error of Append has left behind, if that needs a restart of the embedded server too.
//
// It blocks until the whole log is read, without a limit of time, unless ctx ends, apply returns an error, or the store is closed. It returns
// ErrFull at once while the log could take no message, ErrDamaged for a log with something in it that no primary wrote.
// After an error nothing can be appended. The group's records are valid only during apply. progress, if not nil, is called after every
// message; done and total count messages.
func (l *Log) Replay(ctx context.Context, apply func(record.Group) error, progress func(done, total uint64)) error {
	ctx, cancel := l.store.bound(ctx)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	if progress == nil {
		progress = func(uint64, uint64) {}
	}
	err := l.replayLocked(ctx, apply, progress)
	if err != nil {
		err = fmt.Errorf("replay log %v: %w", l.id, err)
	}
	l.failLocked(err)
	return err
}

func (l *Log) replayLocked(ctx context.Context, apply func(record.Group) error, progress func(done, total uint64)) error {
	l.failLocked(ErrNotReplayed)
	if err := l.store.heal(ctx, l.id.stream()); err != nil {
		return err
	}
	if err := l.store.disk.admit(0); err != nil {
		return err
	}
	st, err := l.serverState(ctx)
	if err != nil {
		return err
	}
	l.observe(st)
	if err := l.replayable(st); err != nil {
		return err
	}
	var f fold
	step := func(m message) error {
		if err := l.step(&f, m, apply); err != nil {
			return err
		}
		progress(m.pos, max(m.pos, st.LastSeq))
		return nil
	}
	if err := l.read(ctx, 1, st.LastSeq, step); err != nil {
		return err
	}
	claim, err := l.claimLocked()
	if err != nil {
		return err
	}
	// Nearly always this is just the claim. Another primary may have appended between; its commits before the claim count.
	if err := l.read(ctx, st.LastSeq+1, claim, step); err != nil {
		return err
	}
	l.epoch, l.last = claim, claim // not the end of the log: if somebody has appended since, we are fenced
	if st, err = l.serverState(ctx); err != nil {
		return err
	}
	l.observe(st)
	return nil
}

// replayable refuses a log that has lost its beginning, and one that a claim would not fit into.
func (l *Log) replayable(st jetstream.StreamState) error {
	if st.LastSeq > 0 && st.FirstSeq != 1 {
		return fmt.Errorf("%w: the log begins at position %d", ErrPosition, st.FirstSeq)
	}
	if limit := l.store.cfg.MaxBytes; limit > 0 && int64(st.Bytes)+l.storedSize(len(l.claim()), st.LastSeq) > limit {
		return fmt.Errorf("%w: %d of %d bytes", ErrFull, st.Bytes, limit)
	}
	return nil
}

// step applies one message that was read, if it counts.
func (l *Log) step(f *fold, m message, apply func(record.Group) error) error {
	g, ok, err := l.next(f, m)
	if err != nil || !ok {
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
		if ctx.Err() != nil {
			return jetstream.StreamState{}, context.Cause(ctx)
		}
		return jetstream.StreamState{}, fmt.Errorf("%w: %w", ErrFailed, err)
	}
	return st.CachedInfo().State, nil
}

// claimLocked appends a claim wherever the log ends now, and returns its position, which is the new epoch. If one is stored without
// our knowledge, it only fences nobody in vain: the next one counts.
func (l *Log) claimLocked() (uint64, error) {
	if err := l.connectLocked(); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrFailed, err)
	}
	return l.publishLocked(l.claim(), anywhere)
}

func (l *Log) claim() []byte {
	return append(record.AppendHeader(nil, record.Header{Type: record.Claim}), l.store.ID()...)
}

// noted remembers what kind of message is at pos.
func (l *Log) noted(pos uint64, claim bool) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	l.claims.note(pos, claim)
}
