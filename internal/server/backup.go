package server

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/txn"
)

// Backups makes backups and hands them out. Its methods may be called concurrently; those that return an error may
// block.
type Backups interface {
	// Backup takes snapshots of all partitions, of one moment, and keeps them until EndBackup. It returns them by their
	// addresses.
	Backup(ctx context.Context) (id uint64, parts []call.BackupPart, err error)
	// ReadBackup reads from the snapshot of a partition in a backup, at an offset, into p. It returns the number of bytes
	// read and the size of the snapshot. It returns call.ErrUnavailable if the backup has ended.
	ReadBackup(id uint64, at txn.Address, offset int64, p []byte) (n int, size int64, err error)
	// EndBackup releases a backup. It does nothing if the backup has ended.
	EndBackup(id uint64)
}

// backupsOf holds the backups of a session, which end with it.
type backupsOf struct {
	ids    []uint64
	making int  // number of calls that make one
	over   bool // the session has ended, and all backups with it
}

var errNoBackups = fmt.Errorf("%w: this server makes no backups", call.ErrInvalidArgument)

// handleBackup makes a backup, which belongs to the session and ends with it at the latest.
func (s *session) handleBackup(callID uint64, _ *call.Ask) error {
	of := s.srv.cfg.Backups
	if of == nil {
		return s.fail(callID, errNoBackups)
	}
	if err := s.beginBackup(); err != nil {
		return s.fail(callID, err)
	}
	return s.apart(callID, func(ctx context.Context) error {
		id, parts, err := of.Backup(ctx)
		s.own(id, err == nil)
		if err != nil {
			return err
		}
		return s.reply(wire.Backup, callID, &call.Result{Report: &call.Report{ID: id, Parts: parts}})
	})
}

// beginBackup returns an error if the client may not make another backup, each of which keeps a snapshot. Otherwise own
// must follow.
func (s *session) beginBackup() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.backups.ids) + s.backups.making
	if err := tooMany(n, s.srv.cfg.Client.Backups, "backups", "max-client-backups"); err != nil {
		return err
	}
	s.backups.making++
	return nil
}

// own makes a backup end with the session, which may have ended already.
func (s *session) own(id uint64, made bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.backups.making--
	switch {
	case !made:
	case s.backups.over:
		s.srv.cfg.Backups.EndBackup(id)
	default:
		s.backups.ids = append(s.backups.ids, id)
	}
}

// endBackups ends all backups that own is called with, before or after.
func (s *session) endBackups() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.backups.over = true
	for _, id := range s.backups.ids {
		s.srv.cfg.Backups.EndBackup(id)
	}
	s.backups.ids = nil
}

// handleEndBackup ends a backup of the session.
func (s *session) handleEndBackup(callID uint64, a *call.Ask) error {
	s.mu.Lock()
	i := slices.Index(s.backups.ids, a.ID)
	if i >= 0 {
		s.backups.ids = slices.Delete(s.backups.ids, i, i+1)
	}
	s.mu.Unlock()
	if i >= 0 {
		s.srv.cfg.Backups.EndBackup(a.ID)
	}
	return s.answer(callID, nil)
}

// fetchSize bounds the piece that one Fetch returns.
const fetchSize = 512 << 10

// handleFetch returns a piece of a backup.
func (s *session) handleFetch(callID uint64, a *call.Ask) error {
	of := s.srv.cfg.Backups
	if of == nil {
		return s.fail(callID, errNoBackups)
	}
	if a.Seq > 1<<62 {
		return s.fail(callID, fmt.Errorf("%w: offset %d", call.ErrInvalidArgument, a.Seq))
	}
	return s.apart(callID, func(context.Context) error {
		p := pieces.Get().(*piece)
		defer pieces.Put(p)
		n, size, err := of.ReadBackup(a.ID, a.At, int64(a.Seq), p[:])
		if err != nil {
			return err
		}
		return s.reply(wire.Fetch, callID, &call.Result{Report: &call.Report{Size: uint64(size), Body: p[:n]}})
	})
}

// piece is a piece of a snapshot. Pieces are pooled: a backup must not fill the memory with garbage of its own size.
type piece [fetchSize]byte

var pieces = sync.Pool{New: func() any { return new(piece) }}
