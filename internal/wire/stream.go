package wire

// retainLimit bounds the bytes that a Stream keeps for a peer that does not acknowledge them.
const retainLimit = 4 << 20

// Stream is what one side of a session sends, as one sequence of bytes that outlives connections: it holds what was not
// sent, and what was sent but not acknowledged, so that a session can be resumed on another connection at the very
// byte that the other side is missing. It is not safe for concurrent use; see Unsent for the one exception.
type Stream struct {
	buf     []byte
	base    uint64 // position of buf[0] in the stream
	acked   int    // buf[:acked] is not needed any more
	sent    int    // buf[:sent] was given to a connection
	offered int    // buf[:offered] may have been: it is more than sent between Unsent and Sent
	writing bool   // between Unsent and Sent: buf must not move
}

// Buffer returns the bytes to which frames are appended; Commit takes them back.
func (s *Stream) Buffer() []byte { return s.buf }

// Commit makes b, which extends what Buffer returned, the content of the stream.
func (s *Stream) Commit(b []byte) { s.buf = b }

// Len returns the number of bytes not sent yet.
func (s *Stream) Len() int { return len(s.buf) - s.sent }

// Cap returns how many bytes the stream takes.
func (s *Stream) Cap() int { return cap(s.buf) }

// Retained returns the number of bytes that are kept for a resumption alone.
func (s *Stream) Retained() int { return s.sent - s.acked }

// Release gives up what is kept for a resumption alone: the connection goes on, but there can be no other.
func (s *Stream) Release() {
	s.acked = s.sent
	s.trim()
}

// Pos returns the position in the stream up to which it was given to a connection.
func (s *Stream) Pos() uint64 { return s.base + uint64(s.sent) }

// End returns the position behind all that was appended.
func (s *Stream) End() uint64 { return s.base + uint64(len(s.buf)) }

// Unsent returns what is to be sent next. Frames may be appended while the bytes are written, under the lock that
// guards s; only the writer is without it. Sent ends the writing.
func (s *Stream) Unsent() []byte {
	s.writing, s.offered = true, len(s.buf)
	return s.buf[s.sent:]
}

// Sent tells that n bytes of what Unsent returned were written.
func (s *Stream) Sent(n int) {
	s.writing = false
	s.sent = max(s.sent+n, s.acked)
	s.offered = s.sent
	if s.sent-s.acked > retainLimit {
		s.acked = s.sent // too much for resuming; the connection itself goes on
	}
	s.trim()
}

// Ack tells that the other side has everything before position pos. It reports whether that can be: what is being
// written may have arrived before the writer knows.
func (s *Stream) Ack(pos uint64) bool {
	if pos > s.base+uint64(s.offered) {
		return false
	}
	if pos > s.base+uint64(s.acked) {
		s.acked = int(pos - s.base)
		s.trim()
	}
	return true
}

// Rewind prepares s for another connection whose peer has everything before position pos. It reports false, and
// does nothing, if what follows pos is not held any more.
func (s *Stream) Rewind(pos uint64) bool {
	if pos < s.base+uint64(s.acked) || !s.Ack(pos) {
		return false
	}
	s.sent, s.offered = s.acked, s.acked
	return true
}

// trim forgets the acknowledged bytes once they are at least half of all, so that moving the rest costs little.
func (s *Stream) trim() {
	if s.writing || s.acked == 0 || s.acked < len(s.buf)-s.acked {
		return
	}
	rest := s.buf[s.acked:]
	s.base += uint64(s.acked)
	s.sent -= s.acked
	s.offered = s.sent
	s.acked = 0
	if cap(s.buf) > 16*readBusy && len(rest) < readBusy {
		s.buf = append(make([]byte, 0, readBusy), rest...) // a rush has passed
		return
	}
	s.buf = s.buf[:copy(s.buf, rest)]
}
