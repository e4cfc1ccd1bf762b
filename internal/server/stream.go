package server

import (
	"net"
	"runtime"
	"sync/atomic"

	"github.com/gospaces/gospaces/internal/wire"
)

// stream is the sequence of bytes for a session's client, and the connection to which they are written. One goroutine
// writes at a time: the reader after each batch of frames, and otherwise the session's writer.
//
// The lock of the session guards it, but for wake and full.
type stream struct {
	conn     net.Conn // nil while detached
	out      wire.Stream
	held     int           // bytes that are held back until they are durable
	reading  bool          // the reader is amid a batch of frames, and flushes after it
	flushing bool          // a goroutine writes to conn
	idle     bool          // the writer waits for wake
	wake     chan struct{} // capacity 1: there is something for the writer
	full     atomic.Bool   // too much is unsent: stop reading
}

// throttle waits until less than Config.MaxUnsent is unsent: no more calls are read from a client that does not read
// its answers.
func (s *session) throttle() error {
	s.pause()
	if err := s.flush(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.throttled = true
	for s.isFullLocked() && s.conn != nil && !s.life.overLocked() {
		s.room.Wait()
	}
	s.throttled = false
	s.reading = true
	return nil
}

func (s *session) isFullLocked() bool {
	s.chargeLocked()
	n := s.out.Len() + s.held
	full := n > s.srv.cfg.MaxUnsent || n > writeChunk && s.srv.cfg.Budget.Scarce()
	if full != s.full.Load() {
		s.full.Store(full)
	}
	return full
}

// writeChunk bounds one write, so that a slow client that makes progress counts as alive.
const writeChunk = 256 << 10

// flush writes what is unsent, unless another goroutine does. It returns the error of the connection.
func (s *session) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flushing || s.conn == nil || s.out.Len() == 0 {
		return nil
	}
	s.flushing = true
	defer s.flushedLocked()
	for s.conn != nil && s.out.Len() > 0 {
		conn, b := s.conn, s.out.Unsent()
		s.mu.Unlock()
		n, err := conn.Write(b[:min(len(b), writeChunk)])
		if s.listening.Load() == 0 {
			s.activity.Add(1)
		}
		s.srv.stats.bytesOut.Add(uint64(n))
		s.mu.Lock()
		s.out.Sent(n)
		if s.out.Retained() > writeChunk && s.srv.cfg.Budget.Scarce() {
			s.out.Release()
		}
		s.isFullLocked()
		s.room.Broadcast()
		if err != nil {
			conn.Close() // so that the reader notices
			return err
		}
	}
	return nil
}

// flushedLocked ends a flush. Listeners that lapsed because too much was unsent may go on.
func (s *session) flushedLocked() {
	s.flushing = false
	s.room.Broadcast()
	if s.lapsed > 0 {
		s.reviveLocked()
	}
}

// wakeLocked makes the writer send what was appended, unless another goroutine is about to.
func (s *session) wakeLocked() {
	if !s.reading {
		s.wakeWriterLocked()
	}
}

func (s *session) wakeWriterLocked() {
	if s.idle {
		s.idle = false
		s.wake <- struct{}{} // there is room: only an idle writer is woken, and only once
	}
}

// write sends what other goroutines than the reader append, and calls partitions for those that must not. When the
// session ends it makes the partitions forget it.
func (s *session) write() {
	for s.awaitWork() {
		if s.recalled() {
			s.interruptWaits()
		}
		s.leaveStale()
		s.revive()
		runtime.Gosched() // lets goroutines append that are about to
		_ = s.flush()     // the reader gets the error, too, and acts on it
	}
	s.forget()
}

// awaitWork waits until there is something for the writer; false means that the session has ended.
func (s *session) awaitWork() bool {
	s.mu.Lock()
	unsent := s.conn != nil && s.out.Len() > 0 && !s.flushing && !s.reading
	busy := s.life.state < ended && (s.reviving || s.recall || len(s.stale) > 0 || unsent)
	s.idle = !busy
	s.mu.Unlock()
	if busy {
		return true
	}
	select {
	case <-s.wake:
		return true
	case <-s.done:
		return false
	}
}
