package client

import (
	"net"
	"runtime"
	"sync"

	"github.com/gospaces/gospaces/internal/wire"
)

// stream is the sending side of a link: bytes that survive connections, the current connection, and the writer, a
// goroutine that writes the bytes to the connection. Callers append frames and do not wait. The link's mu guards it.
type stream struct {
	wire.Stream
	conn     net.Conn // nil unless connected
	maxFrame int      // bytes of a frame that the server accepts
	writer   writer
	wake     chan struct{} // capacity 1: there is something for the writer
	moved    sync.Cond     // on the link's mu: bytes were written, or the connection was lost
}

// writer is what the writer of a stream is doing.
type writer uint8

const (
	looking writer = iota // it is about to look for unsent bytes
	writing               // it writes to the connection, without the lock
	idle                  // it waits for wake
)

func newStream(mu sync.Locker) stream {
	return stream{wake: make(chan struct{}, 1), moved: sync.Cond{L: mu}}
}

// post appends a frame that has no answer. Without a connection it is sent if the session continues.
func (s *stream) post(t wire.Type, id uint64, body []byte) {
	s.Commit(wire.AppendFrame(s.Buffer(), t, id, body))
	s.rouse()
}

// rouse makes the writer send what was appended, unless it is about to.
func (s *stream) rouse() {
	if s.writer == idle && s.conn != nil {
		s.writer = looking
		s.wake <- struct{}{} // there is room: only an idle writer is woken, and only once
	}
}

// connect sets the connection to write to.
func (s *stream) connect(conn net.Conn, maxFrame int) {
	s.conn, s.maxFrame = conn, maxFrame
	s.rouse()
}

// cut closes the connection, if there is one: the reader notices.
func (s *stream) cut() {
	if s.conn != nil {
		s.conn.Close()
	}
}

// disconnect closes the connection and lets go of it.
func (s *stream) disconnect() {
	s.cut()
	s.conn = nil
	s.moved.Broadcast()
}

// isFlushed reports whether everything is written, or there is no connection.
func (s *stream) isFlushed() bool { return s.conn == nil || s.Len() == 0 }

// renew begins another stream, for a new session. The writer must not be writing.
func (s *stream) renew() { s.Stream = wire.Stream{} }

// write is the writer: it writes what is appended, until over is closed. The caller does not hold the lock.
func (s *stream) write(over <-chan struct{}) {
	for {
		s.flush()
		select {
		case <-s.wake:
			runtime.Gosched() // callers that are about to append more share the system call
		case <-over:
			return
		}
	}
}

// flush writes all that is unsent. An error closes the connection.
func (s *stream) flush() {
	s.moved.L.Lock()
	defer s.moved.L.Unlock()
	for !s.isFlushed() {
		conn, b := s.conn, s.Unsent()
		s.writer = writing
		s.moved.L.Unlock()
		n, err := conn.Write(b)
		s.moved.L.Lock()
		s.writer = looking
		s.Sent(n)
		s.moved.Broadcast()
		if err != nil {
			conn.Close()
			break
		}
	}
	s.writer = idle
}
