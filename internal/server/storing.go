package server

import (
	"errors"
	"sync/atomic"
	"time"
)

// storing is about the goroutine that reads a connection while it stores in logs what its calls have left (Host.Store):
// that saves the calls of a client that makes one at a time a visit to other goroutines. A log that was prompt may hang
// all the same, if its disk does. Then another goroutine replaces the reader, so that the client's other calls are
// served meanwhile.
type storing struct {
	turn     atomic.Uint64       // odd while the reader is in a log
	watched  atomic.Bool         // look is to run
	look     *time.Timer         // runs lookAfter
	seen     uint64              // owned by lookAfter; turn, at the last look
	replaced map[uint64]struct{} // guarded by session.mu; turns of readers that were replaced, while their successors read
}

// tooLong is the time between two looks: a reader that has been in a log for longer is replaced.
const tooLong = 25 * time.Millisecond

// errReplaced tells a goroutine that another has read the connection in its place.
var errReplaced = errors.New("server: another goroutine has read on")

// store ends the bursts of calls of a batch, and may wait for their logs. It returns false if the caller was replaced
// and does not own the session any more.
func (s *session) store() bool {
	for n := len(s.bursts); n > 0; n = len(s.bursts) {
		h := s.bursts[n-1]
		s.bursts[n-1] = nil
		s.bursts = s.bursts[:n-1]
		turn := s.turn.Add(1)
		s.beWatched()
		h.Store()
		if !s.turn.CompareAndSwap(turn, turn+1) {
			s.awaitSuccessor(turn)
			return false
		}
	}
	return true
}

func (s *session) beWatched() {
	if !s.watched.Load() && s.watched.CompareAndSwap(false, true) {
		s.look.Reset(tooLong)
	}
}

// lookAfter replaces the reader if it has been in a log since the last look. It looks again while there is something
// new to see: a busy reader costs a timer now and then, an idle one nothing.
func (s *session) lookAfter() {
	turn := s.turn.Load()
	if turn != s.seen {
		s.seen = turn
		s.look.Reset(tooLong)
		return
	}
	if turn%2 == 1 {
		s.replaceReader(turn)
	}
	s.watched.Store(false)
	if s.turn.Load() != turn {
		s.beWatched()
	}
}

// replaceReader makes another goroutine read on if the reader is still in the log.
func (s *session) replaceReader(turn uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.turn.CompareAndSwap(turn, turn+1) {
		return
	}
	if s.replaced == nil {
		s.replaced = map[uint64]struct{}{}
	}
	s.replaced[turn] = struct{}{}
	nc, in := s.conn, s.in
	go func() {
		s.srv.readOn(nc, in, s)
		s.mu.Lock()
		delete(s.replaced, turn)
		s.room.Broadcast()
		s.mu.Unlock()
	}()
}

// awaitSuccessor returns once the goroutine that has replaced the caller has ended: the server waits for the caller.
func (s *session) awaitSuccessor(turn uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if _, reads := s.replaced[turn]; !reads {
			return
		}
		s.room.Wait()
	}
}
