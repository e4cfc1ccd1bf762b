package wire

// retainLimit limits the bytes that a Stream keeps for a peer that does not acknowledge them.
const retainLimit = 4 << 20

// Stream is the outgoing side of a session: one sequence of bytes that survives connections. It holds unsent bytes, and
// sent bytes that are not acknowledged, so that a session can be resumed on another connection at the exact byte that
// the other side lacks. It must not be used concurrently; see Unsent for the one exception.
type Stream struct {
	buf     []byte
	base    uint64 // position of buf[0] in the stream
	acked   int    // buf[:acked] is no longer needed
	sent    int    // buf[:sent] was written to a connection
	offered int    // buf[:offered] may have been written: it exceeds sent between Unsent and Sent
	writing bool   // between Unsent and Sent: buf must not move
}

// Buffer returns the bytes to append frames to; Commit puts them back.
func (s *Stream) Buffer() []byte { return s.buf }

// Commit sets the content of the stream to b, which extends the result of Buffer.
func (s *Stream) Commit(b []byte) { s.buf = b }

// Len returns the number of bytes not sent yet.
func (s *Stream) Len() int { return len(s.buf) - s.sent }

// Cap returns the memory of the stream in bytes.
func (s *Stream) Cap() int { return cap(s.buf) }

// Retained returns the number of bytes that are kept only for a resumption.
func (s *Stream) Retained() int { return s.sent - s.acked }

// Release drops the bytes that are kept only for a resumption: the connection continues, but cannot be resumed.
func (s *Stream) Release() {
	s.acked = s.sent
	s.trim()
}

// Pos returns the position in the stream up to which it was written to a connection.
func (s *Stream) Pos() uint64 { return s.base + uint64(s.sent) }

// End returns the position after all appended bytes.
func (s *Stream) End() uint64 { return s.base + uint64(len(s.buf)) }

// Unsent returns the next bytes to send. While they are written, frames may be appended, under the lock that guards s;
// only the writer does not hold it. Sent ends the writing.
func (s *Stream) Unsent() []byte {
	s.writing, s.offered = true, len(s.buf)
	return s.buf[s.sent:]
}

// Sent records that the first n bytes of Unsent's result were written.
func (s *Stream) Sent(n int) {
	s.writing = false
	s.sent = max(s.sent+n, s.acked)
	s.offered = s.sent
	if s.sent-s.acked > retainLimit {
		s.acked = s.sent // too much to keep for resuming; the connection itself continues
	}
	s.trim()
}

// Ack records that the other side has everything before position pos. It returns false if that is impossible. Bytes
// that are being written may arrive before Sent.
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

// Rewind prepares s for another connection whose peer has everything before position pos. It returns false, and does
// nothing, if the bytes after pos are no longer kept.
func (s *Stream) Rewind(pos uint64) bool {
	if pos < s.base+uint64(s.acked) || !s.Ack(pos) {
		return false
	}
	s.sent, s.offered = s.acked, s.acked
	return true
}

// trim drops the acknowledged bytes once they are at least half of all, so that moving the rest costs little.
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
		s.buf = append(make([]byte, 0, readBusy), rest...) // after a burst
		return
	}
	s.buf = s.buf[:copy(s.buf, rest)]
}
