package replication

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// alone is the home of a log whose files are this process's: it guards them.
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

// admit implements home.
func (l *alone) admit(n int) error {
	if err := l.present(); err != nil {
		return err
	}
	return l.store.disk.admit(n)
}

// publish implements home.
func (l *alone) publish(_ context.Context, msg []byte, last uint64) (uint64, error) {
	pos, err := l.publishLocked(msg, last)
	if err != nil {
		return 0, err
	}
	return pos, l.storedLocked(len(msg))
}

// claimable implements home. It asks the server for nothing, unless the log ended otherwise than it should when this
// process began.
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

// claimed implements home.
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

// absent implements home: this process knew that it is there.
func (l *alone) absent(_ context.Context, position uint64) error {
	return fmt.Errorf("%w: position %d is missing", ErrDamaged, position)
}

// limit implements home.
func (l *alone) limit() time.Duration { return 0 }

// unanswered implements home: a server that runs answers, and one that is restarted is waited for.
func (l *alone) unanswered(_ context.Context, srv *embedded, served bool, err error) error {
	if served || !l.store.runs(srv) {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrFailed, err)
}

// gap implements home: a claim may follow what a loss of power took off the end.
func (l *alone) gap(next uint64, found message) error {
	if follows, ok := claimFollows(found.data); !ok || follows != next-1 {
		return fmt.Errorf("%w: position %d is missing", ErrDamaged, next)
	}
	l.lost(next, found.pos)
	return nil
}

// learned implements home.
func (l *alone) learned(message) error { return nil }

// unproven implements home.
func (l *alone) unproven(uint64) mark { return mark{} }

// ready implements home.
func (l *alone) ready(context.Context) error { return nil }

// usable implements home.
func (l *alone) usable(uint64) bool { return true }

// stamp implements home.
func (l *alone) stamp(context.Context, uint64) (int64, error) { return 0, nil }

// purgeable implements home.
func (l *alone) purgeable(before uint64) uint64 { return before }

// purging implements home.
func (l *alone) purging(fn func() error) error {
	l.replacing.Lock()
	defer l.replacing.Unlock()
	if err := fn(); err != nil {
		return err
	}
	return l.findFilesLocked()
}

// restarted implements home.
func (l *alone) restarted() { _ = l.findFiles() } // the next check reports it

// shut implements home.
func (l *alone) shut() {
	l.served = l.serving.Swap(false) || l.served
	l.store.served.Delete(l)
}

// stopped implements home: it records the exact end of the log in the witness. Without that fewer losses would be
// noticed.
func (l *alone) stopped() {
	if !l.served || l.missing.Load() != nil {
		return
	}
	if err := l.reach(l.Last()); err != nil {
		l.store.cfg.Logger.Warn("log_end_not_noted", "log", l.id.String(), "error", err)
	}
}
