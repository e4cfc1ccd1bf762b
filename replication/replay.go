package replication

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/gospaces/gospaces/internal/record"
)

// Replay hands over every group that counts after a position, 0 or what Load has returned, and then makes this process the primary: it appends a
// claim, and Append works from then on. It repairs what an error of Append has left behind, if that needs a restart of
// the embedded server too.
//
// It blocks until the whole log is read, without a limit of time, unless ctx ends, apply returns an error, or the
// store is closed. It returns ErrFull at once while the log could take no message, ErrDamaged for a log with something
// in it that no primary wrote, ErrPosition if it does not reach back that far. After an error nothing can be appended. The group's records are valid only during
// apply. progress, if not nil, is called after every message; done and total count messages.
func (l *Log) Replay(ctx context.Context, after uint64, apply func(record.Group) error, progress func(done, total uint64)) error {
	ctx, cancel := l.store.bound(ctx)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	if progress == nil {
		progress = func(uint64, uint64) {}
	}
	err := l.replayLocked(ctx, after, apply, progress)
	if err != nil {
		err = fmt.Errorf("replay log %v: %w", l.id, err)
	}
	l.failLocked(err)
	return err
}

func (l *Log) replayLocked(ctx context.Context, after uint64, apply func(record.Group) error, progress func(done, total uint64)) error {
	l.failLocked(ErrNotReplayed)
	if err := l.present(); err != nil {
		return err
	}
	if err := l.store.heal(ctx, l.id.stream()); err != nil {
		return err
	}
	if err := l.refused(); err != nil {
		return err
	}
	if err := l.store.disk.admit(0); err != nil {
		return err
	}
	st, err := l.serverState(ctx)
	if err != nil {
		return err
	}
	if st.LastSeq < after {
		if st, err = l.rebase(ctx, after); err != nil {
			return err
		}
	}
	l.observe(st)
	if err := l.replayable(st, after); err != nil {
		return err
	}
	end, err := l.readableEnd(ctx, st)
	if err != nil {
		return err
	}
	loss, err := l.toldLoss(st, end)
	if err != nil {
		return err
	}
	end = max(end, after)
	f := fold{epoch: l.epochOf(after)}
	step := func(m message) error {
		if err := l.step(&f, m, apply); err != nil {
			return err
		}
		progress(m.pos, max(m.pos, end))
		return nil
	}
	if err := l.read(ctx, after+1, end, step); err != nil {
		return err
	}
	claim, err := l.claimLocked(end, loss)
	if err != nil {
		return err
	}
	if err := l.syncFolders(); err != nil {
		return err
	}
	if err := l.replayed(claim); err != nil {
		return err
	}
	if err := l.observeServer(ctx); err != nil {
		return err
	}
	l.see()
	// Nearly always this is just the claim. Another primary may have appended between; its commits before the claim
	// count.
	if err := l.read(ctx, end+1, claim, step); err != nil {
		return err
	}
	l.epoch, l.last = claim, claim // not the end of the log: if somebody has appended since, we are fenced
	return nil
}

// refused returns why the server must not see the log: its files were found damaged when the server was started again.
func (l *Log) refused() error {
	srv, err := l.store.server()
	if err != nil {
		return err
	}
	return srv.refused[l.id]
}

// toldLoss returns how often the log has lost something, if that is now: its claim tells its readers. Otherwise it returns 0.
func (l *Log) toldLoss(st jetstream.StreamState, end uint64) (int, error) {
	w, err := l.store.folder.readWitness(l.id)
	if err != nil || w.Lost {
		return max(w.Losses, 1), err
	}
	if end >= st.LastSeq {
		return 0, nil
	}
	w.Losses++
	return w.Losses, l.store.writeWitness(l.id, w)
}

// rebase makes the log, which ends before the snapshot that was loaded, go on after it: the state was restored into an empty folder, or
// a loss was accepted.
func (l *Log) rebase(ctx context.Context, position uint64) (jetstream.StreamState, error) {
	l.store.cfg.Logger.Info("log_begins_after_snapshot", "log", l.id.String(), "position", position)
	if err := l.purge(ctx, position+1); err != nil {
		return jetstream.StreamState{}, err
	}
	return l.serverState(ctx)
}

// epochOf returns the epoch that holds after the position of the snapshot that was loaded.
func (l *Log) epochOf(position uint64) uint64 {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	epoch, _ := l.claims.epoch(position)
	return epoch
}

// replayable refuses a log that does not reach back to what follows a position, and one that a claim would not fit into.
func (l *Log) replayable(st jetstream.StreamState, after uint64) error {
	if st.LastSeq > 0 && st.FirstSeq > after+1 {
		return fmt.Errorf("%w: the log begins at position %d, and there is no good snapshot of the state at %d or later", ErrPosition, st.FirstSeq, st.FirstSeq-1)
	}
	if limit := l.store.cfg.MaxBytes; limit > 0 && int64(st.Bytes)+l.storedSize(len(l.claim(0, 0)), st.LastSeq) > limit {
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

func (l *Log) observeServer(ctx context.Context) error {
	st, err := l.serverState(ctx)
	if err != nil {
		return err
	}
	l.observe(st)
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

// failedOr returns why ctx ended, if it has; otherwise that the log failed.
func failedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: %w", ErrFailed, err)
}

// lastThere returns the position of the last message that is really there.
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

// readableEnd is lastThere for a primary. It is not the end of the log if power was lost before the end reached the
// disk: that is what a store without Sync may lose, but damage otherwise, unless it is accepted.
func (l *Log) readableEnd(ctx context.Context, st jetstream.StreamState) (uint64, error) {
	end, err := l.lastThere(ctx, st)
	if err != nil {
		return 0, err
	}
	if end < st.LastSeq && l.store.cfg.Sync && !l.store.cfg.AcceptLoss {
		return 0, fmt.Errorf("%w: position %d is missing", ErrDamaged, end+1)
	}
	if end < st.LastSeq {
		l.store.cfg.Logger.Warn("log_end_lost", "log", l.id.String(), "first", end+1, "last", st.LastSeq)
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

// noted remembers what kind of message is at pos.
func (l *Log) noted(pos uint64, claim bool) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	l.claims.note(pos, claim)
}

// lost remembers that there is nothing between pos and the message that was found.
func (l *Log) lost(pos, found uint64) {
	l.stateMu.Lock()
	defer l.stateMu.Unlock()
	l.claims.skip(pos, found)
}
