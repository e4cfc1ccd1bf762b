package server

import (
	"errors"
	"runtime"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
)

// intake is the state of reading the client's calls. The goroutine that reads the connection owns it; it is handed on
// with the session.
type intake struct {
	in       *wire.Reader
	received uint64       // position in the client's stream
	acked    uint64       // the part of it that was acknowledged
	frames   uint64       // not yet counted in the server's stats
	body     wire.Decoder // of the present call
	ask      call.Ask     // that call, and memory for the next
	scratch  *find        // memory for the next find
	bursts   []Host       // that were called since the last pause
	// size of the present batch in bytes, or what is left of it while it is halved; 0: it is not halved, or was
	half int
}

// read serves one connection until it fails, and returns why; errReplaced if another goroutine has read on.
func (s *session) read() error {
	err := s.readCalls()
	if err != errReplaced {
		s.pause()
		s.received = s.in.Total() // handled frames must not be sent again
	}
	return err
}

func (s *session) readCalls() error {
	for {
		f, ok, err := s.in.Next()
		if errors.Is(err, wire.ErrNoRoom) {
			err = s.fail(f.ID, s.srv.cfg.Budget.Refuse(call.ErrSpaceFull))
			ok = false
		}
		if err != nil {
			return err
		}
		if !ok {
			if err := s.nextBatch(); err != nil {
				return err
			}
			continue
		}
		s.frames++
		if err := s.handle(f); err != nil {
			return err
		}
		if s.full.Load() {
			if err := s.throttle(); err != nil {
				return err
			}
		}
		if left := s.in.Buffered(); 0 < left && left <= s.half {
			if err := s.halve(); err != nil {
				return err
			}
		}
	}
}

// halve has the first half of a batch committed and answered before the second half is handled. Callers that wait for
// their answers make their next calls together. Without halves these would always come as one batch: the server would
// idle while clients make calls, and they while the server handles them.
func (s *session) halve() error {
	s.half = 0
	if len(s.bursts) == 0 {
		return nil // there is nothing to commit
	}
	s.pause() // from here on the writer sends answers, those of the first half as soon as the log has it
	runtime.Gosched()
	return s.flush()
}

// halved is the size, in bytes, from which a batch is halved: that of a few calls.
const halved = 256

// nextBatch sends the answers to the frames so far and reads more.
func (s *session) nextBatch() error {
	s.acknowledge()
	if !s.store() {
		return errReplaced
	}
	s.pause()
	if err := s.flush(); err != nil {
		return err
	}
	s.listen()
	err := s.in.Fill()
	s.listening.Store(0)
	if err != nil {
		return err
	}
	s.activity.Add(1)
	s.setReading(true)
	if s.half = s.in.Buffered() / 2; s.half < halved/2 {
		s.half = 0
	}
	return nil
}

// listen notes that the reader is about to wait for the client: for the rest of a frame, given by its position in the
// stream, or for any frame.
func (s *session) listen() {
	if n := s.in.Arrived(); n > 0 {
		s.arrived.Store(int64(n))
		s.listening.Store(s.in.Total() + amid)
		return
	}
	s.listening.Store(1)
}

// amid is added to the position of a frame, so that the sum is not 0 or 1, which mean that there is none.
const amid = 2

// pause ends a batch of frames, because the reader is about to wait.
func (s *session) pause() {
	for i, h := range s.bursts {
		h.End() // which may commit, and so answer calls of this batch, before anything is sent
		s.bursts[i] = nil
	}
	s.bursts = s.bursts[:0]
	s.setReading(false)
}

// join tells a host that the calls of this batch are one burst.
func (s *session) join(h Host) {
	if !slices.Contains(s.bursts, h) {
		s.bursts = append(s.bursts, h)
		h.Begin()
	}
}

func (s *session) setReading(on bool) {
	s.mu.Lock()
	s.reading = on
	s.mu.Unlock()
}

// ackEvery is the number of bytes after which receipt is acknowledged, so that the peer may forget them.
const ackEvery = 32 << 10

// acknowledge tells the client at intervals what it need not keep for a resumption any more.
func (s *session) acknowledge() {
	total := s.in.Total()
	s.srv.stats.bytesIn.Add(total - s.received)
	s.srv.stats.frames.Add(s.frames)
	s.received, s.frames = total, 0
	if s.received-s.acked < ackEvery {
		return
	}
	s.acked = s.received
	s.mu.Lock()
	s.out.Commit(wire.AppendAck(s.out.Buffer(), s.received))
	s.mu.Unlock()
}
