package replication

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// lookForFolder is the interval at which a store checks that its folder still exists. Within it, changes may be
// acknowledged that are in no folder.
const lookForFolder = 100 * time.Millisecond

// noteSeen is the number of checks between two notes of how far logs have come.
const noteSeen = 10

// watch checks that the folder and the files of the logs are still those that were opened, until the store is closed or
// the folder is gone. A process keeps its open files when they are removed, so nothing else would notice. watch also
// notes how far the logs have come.
func (s *Store) watch() {
	tick := time.NewTicker(lookForFolder)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
		case <-s.life.Done():
			return
		}
		if err := s.folder.check(); err != nil {
			s.cfg.Logger.Error("data_folder_gone", "error", err)
			s.missing.Store(&err)
			return
		}
		s.lookAtLogs(n%noteSeen == 0)
	}
}

// lookAtLogs checks the logs that this process writes, unless the server is being restarted, which may replace their
// files. With note it also notes how far they have come.
func (s *Store) lookAtLogs(note bool) {
	if !s.running.TryRLock() {
		return
	}
	defer s.running.RUnlock()
	s.served.Range(func(log, _ any) bool {
		log.(home).watch(note)
		return true
	})
}

func (l *alone) watch(note bool) {
	if l.lookAtFiles() && note {
		l.see()
	}
}

// lookAtFiles reports whether the files of the log appear to be those that the server has open. If they are not,
// nothing is acknowledged any more.
func (l *alone) lookAtFiles() bool {
	if !l.serving.Load() || !l.replacing.TryLock() {
		return false // a purge may replace them
	}
	defer l.replacing.Unlock()
	if l.missing.Load() != nil {
		return false
	}
	err := l.files.look(l.store.folder.streamDir(l.id), l.store.folder.messagesDir(l.id))
	if err != nil && l.serving.Load() {
		l.store.cfg.Logger.Error("log_files_gone", "log", l.id.String(), "error", err)
		l.missing.Store(&err)
	}
	return err == nil
}

// findFiles determines again which files the server has open, after it may have replaced them. It returns ErrGone if
// there are none.
func (l *alone) findFiles() error {
	l.replacing.Lock()
	defer l.replacing.Unlock()
	return l.findFilesLocked()
}

func (l *alone) findFilesLocked() error {
	l.files = openFiles{}
	return l.files.look(l.store.folder.streamDir(l.id), l.store.folder.messagesDir(l.id))
}

// openFiles are the files of a log at the last check: the folders, and the file being written. The zero value has none.
type openFiles struct {
	dirs [2]fs.FileInfo
	last int // number of the file
	file fs.FileInfo
}

// look returns ErrGone if the folders or the file were removed or replaced since the last check. The server may have
// begun another file.
func (o *openFiles) look(dirs ...string) (err error) {
	for i, dir := range dirs {
		if o.dirs[i], err = same(o.dirs[i], dir); err != nil {
			return err
		}
	}
	messages := dirs[len(dirs)-1]
	for o.last > 0 {
		info, err := os.Stat(blockPath(messages, o.last+1))
		if err != nil {
			break
		}
		o.last, o.file = o.last+1, info
	}
	var gone error
	if o.last > 0 {
		if o.file, gone = same(o.file, blockPath(messages, o.last)); gone == nil {
			return nil
		}
	}
	last, err := newestFile(messages)
	if err != nil || last <= o.last { // otherwise files were begun and removed since
		return gone
	}
	o.last = last
	o.file, err = same(nil, blockPath(messages, last))
	return err
}

// same returns the file of a path; ErrGone if it does not exist, or is not the one that is known.
func same(before fs.FileInfo, path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && (before == nil || os.SameFile(before, info)):
		return info, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return before, nil
	}
	return nil, fmt.Errorf("%w: %s was removed or replaced; nothing is acknowledged any more", ErrGone, path)
}

// check returns ErrGone if the folder, or a locked file in it, is not the one that was opened.
func (f *folder) check() error {
	for _, h := range f.held {
		if !h.there() {
			return fmt.Errorf("%w: %s was removed or replaced; nothing is acknowledged any more", ErrGone, h.file.Name())
		}
	}
	return nil
}

// present returns ErrGone once the folder, or the files of the log, were found missing.
func (l *alone) present() error {
	if err := l.missing.Load(); err != nil {
		return *err
	}
	return l.store.gone()
}

// gone returns ErrGone, permanently, once the folder was found missing: what was written since is lost.
func (s *Store) gone() error {
	if err := s.missing.Load(); err != nil {
		return *err
	}
	return nil
}
