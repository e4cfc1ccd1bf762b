package replication

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// alone is the home of a log whose files belong to this process. It guards them.
type alone struct {
	*Log
	stream string // identity of the stream that holds the log
	names  names  // guarded by mu
	direct direct // guarded by mu; like pub
	ending ending // guarded by stateMu; as CatchUp has found it

	syncedFile atomic.Int64 // the last file of those that syncFiles has made durable
	serving    atomic.Bool  // it was claimed, and is not shut
	served     bool         // guarded by mu; it was claimed until it was shut

	missing   atomic.Pointer[error] // why nothing may be written any more; nil while the files exist
	replacing sync.Mutex            // held while a purge may replace files
	files     openFiles             // guarded by replacing

	seeing   sync.Mutex // held while seen is written
	lastSeen seen       // guarded by seeing; what is written
}

var _ home = (*alone)(nil)

func newAlone(s *Store, id logID, info *jetstream.StreamInfo) *alone {
	stream := info.Config.Metadata[metaIncarnation]
	l := &alone{
		Log: newLog(s, id), stream: stream, names: names{dir: s.folder.messagesDir(id), sync: s.syncDir},
	}
	l.home, l.name, l.incarnation = l, s.ID(), stream
	l.observe(info.State)
	return l
}

func (l *alone) admit(n int) error {
	if err := l.present(); err != nil {
		return err
	}
	return l.store.disk.admit(n)
}

func (l *alone) publish(_ context.Context, msg []byte, last uint64) (uint64, error) {
	pos, err := l.publishLocked(msg, last)
	if err != nil {
		return 0, err
	}
	return pos, l.storedLocked(len(msg))
}

// claimable asks the server for nothing, unless the log did not end as it should when this process began.
func (l *alone) claimable(ctx context.Context, follows uint64) (as intent, err error) {
	if err := l.mayClaim(ctx); err != nil {
		return as, err
	}
	last, loss, err := l.claimsAfter(ctx, follows)
	if err != nil {
		return as, err
	}
	if err := l.connectLocked(); err != nil {
		return as, fmt.Errorf("%w: %w", ErrFailed, err)
	}
	return intent{follows: follows, last: last, loss: loss, incarnation: l.incarnation}, nil
}

func (l *alone) claimed(position uint64, _ intent) error {
	if err := l.syncFolders(); err != nil {
		return err
	}
	if err := l.noteClaim(position); err != nil {
		return err
	}
	l.see()
	return nil
}

// absent returns an error, since this process knew that the message was there.
func (l *alone) absent(_ context.Context, position uint64) error {
	return fmt.Errorf("%w: position %d is missing", ErrDamaged, position)
}

func (l *alone) limit() time.Duration { return 0 }

// unanswered returns an error if a new connection to the running server got no answer. A server that is restarted is
// waited for.
func (l *alone) unanswered(_ context.Context, srv *embedded, served bool, err error) error {
	if served || !l.store.runs(srv) {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrFailed, err)
}

// gap lets a claim follow what a loss of power has cut off the end.
func (l *alone) gap(next uint64, found message) error {
	if follows, ok := claimFollows(found.data); !ok || follows != next-1 {
		return fmt.Errorf("%w: position %d is missing", ErrDamaged, next)
	}
	l.lost(next, found.pos)
	return nil
}

func (l *alone) learned(message) error { return nil }

func (l *alone) unproven(uint64) mark { return mark{} }

func (l *alone) ready(context.Context) error { return nil }

func (l *alone) usable(uint64) bool { return true }

func (l *alone) stamp(context.Context, uint64) (int64, error) { return 0, nil }

func (l *alone) purgeable(before uint64) uint64 { return before }

func (l *alone) purging(fn func() error) error {
	l.replacing.Lock()
	defer l.replacing.Unlock()
	if err := fn(); err != nil {
		return err
	}
	return l.findFilesLocked()
}

func (l *alone) restarted() { _ = l.findFiles() } // the next check reports it

func (l *alone) shut() {
	l.served = l.serving.Swap(false) || l.served
	l.store.served.Delete(l)
}

// stopped records the exact end of the log in the witness. Without it fewer losses would be noticed.
func (l *alone) stopped() {
	if !l.served || l.missing.Load() != nil {
		return
	}
	if err := l.reach(l.Last()); err != nil {
		l.store.cfg.Logger.Warn("log_end_not_noted", "log", l.id.String(), "error", err)
	}
}
