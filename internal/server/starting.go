package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
)

// Starting answers clients while a server cannot serve yet: a client that connects is told the progress. It begins with
// AnswerStarting and ends with Stop, which leaves the listener to the server.
type Starting struct {
	l       *net.TCPListener
	report  func() string
	serving sync.WaitGroup
}

// AnswerStarting refuses every connection to l with call.ErrUnavailable and the text of report, until Stop.
func AnswerStarting(l *net.TCPListener, report func() string) *Starting {
	s := &Starting{l: l, report: report}
	s.serving.Go(s.run)
	return s
}

// Stop ends the answers. It blocks until that is done. Later connections wait for the server.
func (s *Starting) Stop() error {
	err := s.l.SetDeadline(time.Unix(1, 0))
	s.serving.Wait()
	return errors.Join(err, s.l.SetDeadline(time.Time{}))
}

func (s *Starting) run() {
	for {
		nc, err := s.l.Accept()
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // probably out of file descriptors, which passes
			continue
		}
		s.serving.Go(func() { s.refuse(nc) })
	}
}

// refuse waits for the client's first word, so that its side is not reset before it has read the answer.
func (s *Starting) refuse(nc net.Conn) {
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(time.Second))
	in := wire.NewReader(nc, wire.MaxHello)
	if _, err := readHello(in); err != nil {
		if isHTTP(in.Peek()) {
			answerHTTP(nc)
		}
		return
	}
	_, _ = nc.Write(wire.AppendRefused(nil, fmt.Errorf("%w: starting: %s", call.ErrUnavailable, s.report())))
}
