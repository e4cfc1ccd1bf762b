package node

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// startup tells how far a node is with reading its logs. Its methods may be called concurrently.
type startup struct {
	logger *slog.Logger

	mu   sync.Mutex
	text string // guarded by mu
}

// report returns how far the node is, for those who ask.
func (s *startup) report() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.text == "" {
		return "0 %"
	}
	return s.text
}

// progress returns what takes note of how far a space is, of which there are count and before are done; the log is told about once a second.
func (s *startup) progress(space string, before, count int) func(done, total uint64) {
	next := time.Now().Add(time.Second)
	return func(done, total uint64) {
		if total == 0 {
			return
		}
		percent := done * 100 / total
		s.mu.Lock()
		s.text = fmt.Sprintf("%d %% (space %q, %d of %d)", (uint64(before)*100+percent)/uint64(count), space, before+1, count)
		s.mu.Unlock()
		if now := time.Now(); now.After(next) {
			next = now.Add(time.Second)
			s.logger.Info("reading the state", "space", space, "percent", percent)
		}
	}
}
