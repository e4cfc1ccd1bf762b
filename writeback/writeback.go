// Package writeback mirrors a space to PostgreSQL in the background.
//
// It is part of the server: what it reads are records in a format that is internal to this module. Programs do not call
// it. They set Modes in node.Config, and leave the rest to package node or to gospaces serve. Everything but Mode and
// Modes may change with any release.
//
// A Writer reads the log of a partition and keeps one table per kind equal to the entries that live in the space. The
// position up to which the log is in the database is stored in the database, in the transaction of the rows, so each
// record takes effect exactly once whatever crashes. DESIGN.md of this package describes the design.
package writeback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
)

// Writer mirrors one log to one database. Its methods may be called concurrently.
type Writer struct {
	cfg    Config
	source Source
	status *status
	wanted wanted
	own    bool // the pool belongs to this writer
	rebase bool // all tables are to be rebuilt; owned by Run
}

// New returns a writer that mirrors source once Run is called. It does not contact the database. It returns an error if
// cfg is invalid.
func New(source Source, cfg Config) (*Writer, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	w := &Writer{cfg: cfg, source: source, status: newStatus(source), wanted: newWanted()}
	if cfg.Pool == nil {
		w.own = true
		w.cfg.Pool, err = NewPool(cfg.DSN, cfg.Lanes)
	}
	return w, err
}

// Run mirrors the log until ctx ends, and then returns nil; a transaction in progress is aborted, and nothing is lost,
// since its records are still in the log. Run waits until failures of any kind and duration are over, and reports them
// in Stats. The exception is a database that mirrors another log: Run returns an error that wraps ErrOtherLog and says
// what to do. If the source is a Verifier, Run first makes sure that it is this log, and not the knowledge of it, that
// is behind the database: while another process writes the log, Run waits. Run must be called only once.
func (w *Writer) Run(ctx context.Context) error {
	if w.own {
		defer w.cfg.Pool.Close()
	}
	pauses := backoff.Backoff{Min: w.cfg.RetryMin, Max: w.cfg.RetryMax}
	var err error
	for verified := false; ; {
		err = w.session(ctx, &pauses)
		if ctx.Err() != nil {
			err = nil
			break
		}
		if errors.Is(err, ErrOtherLog) {
			if verified {
				break
			}
			if err = w.verify(ctx); err == nil {
				verified = true
				continue
			}
		}
		verified = false
		w.rebase = errors.Is(err, errUndefined) && !w.rebase // gospaces.kinds may have been emptied
		d := pauses.Next()
		if lockTimedOut(err) {
			d = min(d, lockPause)
		}
		if w.status.failed(err) {
			w.cfg.Logger.Log(ctx, severity(err), "mirror_interrupted", "error", err, "retry_in", d)
		}
		_ = backoff.Sleep(ctx, d) // if it returns early, ctx has ended
	}
	w.status.stop(err)
	return err
}

// verify returns nil if this process is certain of the log's end. Otherwise its error wraps errReplaced.
func (w *Writer) verify(ctx context.Context) error {
	source, ok := w.source.(Verifier)
	if !ok {
		return nil
	}
	if err := source.Verify(ctx); err != nil {
		return fmt.Errorf("%w: %w", errReplaced, err)
	}
	return nil
}

// severity returns the level at which an interruption is logged. Where another writer takes over, nothing is wrong.
func severity(err error) slog.Level {
	if errors.Is(err, errMoved) || errors.Is(err, errReplaced) {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// Flush returns nil once everything that was in the log at the time of the call is in the database. It returns the
// cause of ctx when ctx ends first, and an error that wraps ErrStopped if Run has returned.
func (w *Writer) Flush(ctx context.Context) error {
	target := w.source.Last()
	w.wanted.raise(target)
	return w.status.wait(ctx, target)
}

// FlushOrAway is Flush, but returns an error that wraps ErrAway as soon as the database is away, instead of waiting for
// it: when an attempt has failed, or when the database has not answered for two seconds, before or during the call.
func (w *Writer) FlushOrAway(ctx context.Context) error {
	target := w.source.Last()
	w.wanted.raise(target)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { cancel(w.away(ctx)) }()
	return w.status.wait(ctx, target)
}

// away returns an error that wraps ErrAway once the database is away, and the cause of ctx when ctx ends.
func (w *Writer) away(ctx context.Context) error {
	for ctx.Err() == nil {
		changed, failure := w.status.failure()
		if failure != nil {
			return fmt.Errorf("%w: %w", ErrAway, failure)
		}
		silent := w.cfg.Pool.pulse.silence()
		if silent >= silentLimit {
			return fmt.Errorf("%w: it has not answered for %v", ErrAway, silent.Round(100*time.Millisecond))
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-time.After(silentLimit - silent): // not before
		}
	}
	return context.Cause(ctx)
}

// wanted is the position that callers of Flush wait for. Groups up to there do not gather.
type wanted struct {
	position *atomic.Uint64
	raised   chan struct{} // capacity 1
}

func newWanted() wanted { return wanted{new(atomic.Uint64), make(chan struct{}, 1)} }

func (w wanted) raise(position uint64) {
	for {
		old := w.position.Load()
		if position <= old || w.position.CompareAndSwap(old, position) {
			break
		}
	}
	signal(w.raised)
}
