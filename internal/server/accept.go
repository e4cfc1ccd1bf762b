package server

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
)

// helloTimeout bounds the handshake, so that silent connections do not pile up.
const helloTimeout = 10 * time.Second

// accept serves a new connection on a goroutine of its own.
func (s *Server) accept(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		nc.Close()
		return
	}
	crowded := s.cfg.Budget.Refusal(call.ErrSpaceFull)
	if len(s.conns) >= s.cfg.MaxConns {
		crowded = fmt.Errorf("%w: the limit is %d", wire.ErrBusy, s.cfg.MaxConns)
	}
	s.conns[nc] = struct{}{}
	s.serving.Go(func() {
		if crowded == nil {
			s.serve(nc)
			return
		}
		s.refuse(nc, crowded)
		s.forget(nc)
	})
}

func (s *Server) forget(nc net.Conn) {
	nc.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, nc)
}

// refuse sends the reason why a connection ends.
func (s *Server) refuse(nc net.Conn, err error) {
	s.stats.refused.Add(1)
	s.cfg.Logger.Info("connection refused", "remote", nc.RemoteAddr().String(), "error", err)
	_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = nc.Write(wire.AppendRefused(nil, err))
}

// refuseHello refuses a connection whose first bytes are no handshake. A connection that has sent nothing and is closed
// is not logged: load balancers and monitors probe every few seconds.
func (s *Server) refuseHello(nc net.Conn, first []byte, err error) {
	if len(first) == 0 && isGone(err) {
		s.cfg.Logger.Debug("connection closed before the handshake, as by a port probe", "remote", nc.RemoteAddr().String())
		return
	}
	err = foreign(first, err)
	if !isHTTP(first) {
		s.refuse(nc, err)
		return
	}
	s.stats.refused.Add(1)
	s.cfg.Logger.Info("connection refused", "remote", nc.RemoteAddr().String(), "error", err)
	_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
	answerHTTP(nc)
}

// serve does the handshake and reads the connection until it fails.
func (s *Server) serve(nc net.Conn) {
	in := wire.NewReader(nc, wire.MaxHello)
	in.Room = reserve(s.cfg.Budget)
	if ss := s.begin(nc, in); ss != nil {
		s.readOn(nc, in, ss)
		return
	}
	in.Close()
	s.forget(nc)
}

// begin does the handshake and attaches the connection to the session that it returns; nil if the connection ends.
func (s *Server) begin(nc net.Conn, in *wire.Reader) *session {
	_ = nc.SetDeadline(time.Now().Add(helloTimeout))
	hello, err := readHello(in)
	if err != nil {
		s.refuseHello(nc, in.Peek(), err)
		return nil
	}
	ss, resumed := s.sessionFor(hello, nc.RemoteAddr().String())
	if ss == nil {
		return nil // shutting down
	}
	if err := s.welcome(nc, ss, resumed); err != nil {
		ss.detach(err)
		return nil
	}
	_ = nc.SetDeadline(time.Time{})
	in.SetLimit(s.cfg.MaxFrame)
	ss.attach(nc, in)
	return ss
}

// readOn reads a connection until it fails, and ends it, unless another goroutine has done so.
func (s *Server) readOn(nc net.Conn, in *wire.Reader, ss *session) {
	err := ss.read()
	if err == errReplaced {
		return
	}
	if isProtocolError(err) {
		s.stats.refused.Add(1)
		s.cfg.Logger.Info("connection broke the protocol", "remote", nc.RemoteAddr().String(), "error", err)
		_ = ss.send(wire.Refused, 0, wire.AppendError(nil, err))
		_ = ss.flush()
	}
	nc.Close()
	ss.detach(err)
	in.Close()
	s.forget(nc)
}

func readHello(in *wire.Reader) (*wire.Greeting, error) {
	for {
		f, ok, err := in.Next()
		switch {
		case err != nil:
			return nil, err
		case ok && f.Type != wire.Hello:
			return nil, fmt.Errorf("%w: this is a gospaces server", wire.ErrMalformed)
		case ok:
			return wire.DecodeHello(f.Body)
		}
		if err := in.Fill(); err != nil {
			return nil, err
		}
	}
}

// welcome sends the terms to the client.
func (s *Server) welcome(nc net.Conn, ss *session, resumed bool) error {
	_, err := nc.Write(wire.AppendWelcome(nil, &wire.Terms{
		Version: wire.Version, Offers: wire.Offers(), Software: wire.Software,
		MaxFrame: s.cfg.MaxFrame, Idle: s.cfg.Idle, Cluster: s.cfg.Cluster, Node: s.cfg.Node, Data: s.cfg.Data,
		Session: ss.token[:], Resumed: resumed, Received: ss.received,
	}))
	return err
}

// sessionFor returns the session that the client wants to resume, if it can be resumed, or else a new one, owned by the
// caller. It returns nil when the server shuts down.
func (s *Server) sessionFor(hello *wire.Greeting, remote string) (ss *session, resumed bool) {
	if len(hello.Session) == len(token{}) {
		s.mu.Lock()
		old := s.sessions[token(hello.Session)]
		s.mu.Unlock()
		if old != nil && old.claim(hello.Received) {
			s.stats.resumed.Add(1)
			return old, true
		}
		if old != nil {
			old.end()
		}
	}
	var client call.Client
	if len(hello.Client) == len(client) {
		client = call.Client(hello.Client)
	}
	ss, previous := s.addSession(client, holderName(hello.Name, remote))
	if previous != nil && ss != nil {
		previous.evict() // the client is about to repeat its calls
	}
	return ss, false
}

// maxHolder bounds the name of a holder, in bytes: the log has it with each of its takes.
const maxHolder = 64

// holderName returns the name under which a client is listed, from what it calls itself and its address.
func holderName(name, remote string) string {
	name = strings.ToValidUTF8(cmp.Or(name, remote), "")
	for len(name) > maxHolder {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return name
}

// addSession returns a new session, and the one that its client had before, if any.
func (s *Server) addSession(client call.Client, holder string) (ss, previous *session) {
	var t token
	_, _ = rand.Read(t[:]) // it never fails
	ss = newSession(s, t, client, holder)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return nil, nil
	}
	s.sessions[t] = ss
	s.cfg.Budget.Add(sessionBytes)
	if client != (call.Client{}) {
		previous = s.clients[client]
		s.clients[client] = ss
	}
	s.serving.Go(ss.write)
	return ss, previous
}

func (s *Server) forgetSession(ss *session) {
	s.cfg.Budget.Add(-sessionBytes)
	s.mu.Lock()
	delete(s.sessions, ss.token)
	if s.clients[ss.client] == ss {
		delete(s.clients, ss.client)
	}
	s.mu.Unlock()
	select {
	case s.idle <- struct{}{}:
	default:
	}
}

// isCrowded reports whether there are too many sessions, or there is too little memory, to keep those without a
// connection.
func (s *Server) isCrowded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions) > 2*s.cfg.MaxConns || s.cfg.Budget.Full()
}

func isProtocolError(err error) bool {
	return errors.Is(err, wire.ErrMalformed) || errors.Is(err, wire.ErrVersion) || errors.Is(err, wire.ErrCapability)
}
