package replication

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/gospaces/gospaces/internal/fsync"
)

// Drop permanently deletes the log of a partition with its snapshots, even if Log refuses it; Log then creates another
// one, with another incarnation. Nothing may use the log any more. Once Drop returns nil the log does not come back,
// whatever happens to the process; a crash before that leaves all of it or nothing. If Drop returns an error the log is
// unchanged, and must be claimed again.
//
// In a cluster it deletes the log on all nodes, and this node's snapshots and notes; the others are to call Forget. It
// tries until ctx ends, after which it is unknown whether the log exists.
func (s *Store) Drop(ctx context.Context, space string, partition int) error {
	id := logID{space, partition}
	if err := id.valid(); err != nil {
		return err
	}
	if s.cfg.Cluster != nil {
		return s.dropShared(ctx, id)
	}
	marked, err := s.remove(ctx, id)
	if marked && err != nil {
		s.cfg.Logger.Warn("log_drop_unfinished", "log", id.String(), "error", err) // the next opening completes it
		return nil
	}
	return err
}

// Forget removes what this node has of a log besides its part of the stream, after the log was dropped or moved to
// other nodes. Calls that use the log here end with ErrClosed.
func (s *Store) Forget(space string, partition int) error {
	id := logID{space, partition}
	if err := id.valid(); err != nil {
		return err
	}
	s.opening.Lock()
	l := s.logs[id]
	s.opening.Unlock()
	if l != nil {
		l.Close()
	}
	if err := os.RemoveAll(s.snapshotDir(id)); err != nil {
		return fmt.Errorf("replication: forget log %v: %w", id, err)
	}
	return nil
}

func (s *Store) dropShared(ctx context.Context, id logID) error {
	if err := s.Forget(id.space, id.partition); err != nil {
		return err
	}
	return s.insist(ctx, "drop", id, func(ctx context.Context, srv *embedded) error {
		if err := srv.js.DeleteStream(ctx, id.stream()); !errors.Is(err, jetstream.ErrStreamNotFound) {
			return err
		}
		return nil
	})
}

// remove deletes a log: first the stream, since a log without its beginning needs its snapshots, but not the other way
// round. Once the log is marked as dropped, which remove reports, the next opening completes an interrupted removal.
func (s *Store) remove(ctx context.Context, id logID) (marked bool, err error) {
	s.opening.Lock()
	defer s.opening.Unlock()
	srv, err := s.server()
	if err != nil {
		return false, err
	}
	ctx, cancel := s.bound(ctx)
	defer cancel()
	if l := s.logs[id]; l != nil {
		l.shut()
		delete(s.logs, id)
	}
	if err := s.writeWitness(id, witness{Dropped: true}); err != nil {
		return false, err
	}
	return true, s.drop(ctx, srv, id)
}

// drop removes everything of a log.
func (s *Store) drop(ctx context.Context, srv *embedded, id logID) error {
	if err := srv.js.DeleteStream(ctx, id.stream()); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	if err := s.folder.removeLog(id); err != nil {
		return err
	}
	srv.refused.forget(id)
	return nil
}

// removeLog durably removes the files of a log that the embedded server does not know: those of the stream before its
// snapshots, without which the log could not go on.
func (f *folder) removeLog(id logID) error {
	for _, dir := range []string{f.streamDir(id), f.refusedDir(id), f.snapshotDir(id)} {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := fsync.Folder(filepath.Dir(dir)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// endDrop completes the interrupted removal of a log.
func (s *Store) endDrop(ctx context.Context, srv *embedded, id logID) error {
	w, err := s.folder.readWitness(id)
	if err != nil || !w.Dropped {
		return err
	}
	return s.drop(ctx, srv, id)
}

// endDrops completes interrupted removals before the embedded server starts, which could not cope with the remains.
func (f *folder) endDrops() error {
	streams, err := os.ReadDir(f.streamsDir())
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	for _, d := range streams {
		if strings.HasPrefix(d.Name(), ".log-") { // the server renames what it removes
			err = errors.Join(err, os.RemoveAll(filepath.Join(f.streamsDir(), d.Name())))
		}
	}
	dirs, noDir := os.ReadDir(filepath.Join(f.path, snapshotsFolder))
	if !errors.Is(noDir, os.ErrNotExist) {
		err = errors.Join(err, noDir)
	}
	for _, d := range dirs {
		id, ok := streamID("log-" + d.Name())
		if !ok {
			continue
		}
		if w, unreadable := f.readWitness(id); unreadable == nil && w.Dropped { // opening the log reports what is unreadable
			err = errors.Join(err, f.removeLog(id))
		}
	}
	return err
}
