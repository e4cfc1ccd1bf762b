// Package replication is the log of a space: a JetStream stream per partition, in a NATS server that is embedded in
// this process.
//
// It is part of the server: its messages carry records in a format that is internal to this module. Programs do not
// call it; package node makes spaces that have a log. It may change with any release.
//
// A Store holds the logs of a folder. A Log is followed by any number of readers. One of them that has read it to its
// end may claim it, which makes this process its primary; then it takes one append at a time, which returns when the
// message is stored, until another claims it or the primary resigns. See DESIGN.md.
package replication

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/gospaces/gospaces/internal/fsync"
)

// Store holds the logs of one folder. All methods may be called concurrently.
type Store struct {
	cfg    Config
	folder *folder
	disk   *disk

	life  context.Context // ends when Close begins; calls that wait end with it
	end   context.CancelCauseFunc
	close func() error // once

	// running is held for writing while the server is started or stopped, so that calls that need it wait. It is taken
	// after opening, and after the locks of logs.
	running sync.RWMutex
	srv     *embedded // guarded by running; nil after a failed restart, or Close

	watching sync.WaitGroup
	boot     string                  // bootID
	served   sync.Map                // the logs that this process writes
	syncDir  func(path string) error // fsync.Folder; another one in tests
	missing  atomic.Pointer[error]   // why nothing must be written any more; nil while the folder is there

	opening sync.Mutex     // held while a log is opened
	logs    map[logID]*Log // guarded by opening
	// guarded by opening; other views of these
	replicas []*Log
}

// Open opens the folder and starts the embedded server. It returns once all logs are recovered, without a time limit,
// or ctx ends; in that case the folder may stay locked for a while. It refuses a folder that another process has open,
// or that was created in another mode. Log refuses logs that are damaged, or have lost something, unless
// Config.AcceptLoss repairs them.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	f, err := openFolder(cfg.Dir, cfg.owner(), cfg.Unfinished)
	if err != nil {
		return nil, err
	}
	srv, abandoned, err := startEmbedded(ctx, f, cfg, cfg.AcceptLoss)
	if err != nil {
		f.leave(abandoned)
		return nil, err
	}
	s := &Store{
		cfg: cfg, folder: f, disk: newDisk(f.path, cfg.MinFree), srv: srv, logs: make(map[logID]*Log),
		syncDir: fsync.Folder, boot: bootID(),
	}
	s.life, s.end = context.WithCancelCause(context.Background())
	s.close = sync.OnceValue(s.shutdown)
	s.watching.Go(s.watch)
	if cfg.Cluster != nil {
		err = s.serveSnapshots(srv.nc)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// ID returns the identity of the folder, which is created with it.
func (s *Store) ID() string { return s.folder.id }

// Finish lets a folder begun with Config.Unfinished be opened. Its content should be on disk by then, as with
// Config.Sync.
func (s *Store) Finish() error { return s.folder.finish() }

// Close ends calls that read or claim a log with ErrClosed, waits for current appends, stops the server and unlocks the
// folder. It is idempotent.
func (s *Store) Close() error { return s.close() }

func (s *Store) shutdown() error {
	s.end(ErrClosed)
	s.watching.Wait()
	s.opening.Lock()
	logs := s.logs
	replicas := s.replicas
	s.logs, s.replicas = nil, nil
	s.opening.Unlock()
	for _, l := range replicas {
		l.shut()
	}
	for _, l := range logs {
		l.shut()
	}
	s.running.Lock()
	defer s.running.Unlock()
	if s.srv == nil {
		return s.folder.close()
	}
	s.srv.stop()
	s.srv = nil
	var err error
	if s.gone() == nil && s.folder.check() == nil {
		for _, l := range logs {
			l.home.stopped()
		}
		err = s.folder.bringBack()
	}
	return errors.Join(err, s.folder.close())
}

// server returns the running server, after waiting for a restart.
func (s *Store) server() (*embedded, error) {
	s.running.RLock()
	defer s.running.RUnlock()
	if s.life.Err() != nil {
		return nil, ErrClosed
	}
	if s.srv == nil {
		return nil, fmt.Errorf("%w: server is not running", ErrFailed)
	}
	return s.srv, nil
}

// runs reports whether srv is still the running server, after waiting for a restart.
func (s *Store) runs(srv *embedded) bool {
	now, err := s.server()
	return err == nil && now == srv
}

// heal restarts the server if the stream cannot be used: after a write error that is the only way to continue. Other
// logs only pause.
func (s *Store) heal(ctx context.Context, stream string) error {
	if srv, err := s.server(); err == nil && srv.usable(stream) == nil {
		return nil
	}
	s.running.Lock()
	defer s.running.Unlock()
	if s.life.Err() != nil {
		return ErrClosed
	}
	if s.srv != nil {
		err := s.srv.usable(stream)
		if err == nil {
			return nil // another call was faster
		}
		s.cfg.Logger.Warn("log_server_restart", "stream", stream, "error", err)
		s.srv.stop()
		s.srv = nil
	}
	if err := s.folder.check(); err != nil {
		return err // the server would begin again there
	}
	srv, abandoned, err := startEmbedded(ctx, s.folder, s.cfg, false)
	if abandoned != nil {
		<-abandoned
	}
	if err != nil {
		return err
	}
	s.srv = srv
	s.served.Range(func(log, _ any) bool {
		log.(home).restarted()
		return true
	})
	return nil
}

// bound returns a context that also ends, with ErrClosed, when the store is closed.
func (s *Store) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return bound(ctx, s.life)
}

func bound(ctx, life context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(life, func() { cancel(ErrClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}
