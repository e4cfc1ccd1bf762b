package replication

import (
	"fmt"
	"time"
)

// lookForFolder is how often a store looks whether its folder is still there. For so long changes may be acknowledged that are in no folder.
const lookForFolder = 100 * time.Millisecond

// watch looks whether the folder is still the one that was opened, until the store is closed or it is not. A process keeps the files that it has open when
// they are removed: nothing else would tell.
func (s *Store) watch() {
	tick := time.NewTicker(lookForFolder)
	defer tick.Stop()
	for {
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
	}
}

// check returns ErrGone if the folder, or what is locked in it, is not what was opened.
func (f *folder) check() error {
	for _, h := range f.held {
		if !h.there() {
			return fmt.Errorf("%w: %s was removed or replaced; nothing is acknowledged any more", ErrGone, h.file.Name())
		}
	}
	return nil
}

// gone returns ErrGone once the folder was found not to be there, for good: what was written since is lost.
func (s *Store) gone() error {
	if err := s.missing.Load(); err != nil {
		return *err
	}
	return nil
}
