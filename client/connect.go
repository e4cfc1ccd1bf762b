package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
)

// requires are the capabilities that this client needs.
var requires = [...]string{wire.CapSpaces}

// ErrNotServer is returned by Dial when something accepts connections at the address, but does not answer as a gospaces
// server.
var ErrNotServer = errors.New("not a gospaces server")

// ErrNoAnswer is an ErrNotServer: something accepts connections, and has said nothing within Config.DialTimeout. It may
// be a server that hangs.
var ErrNoAnswer = fmt.Errorf("%w, or one that hangs", ErrNotServer)

// connect opens a connection and continues the session, or begins a new one.
func (l *link) connect(ctx context.Context) error {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, l.cfg.DialTimeout)
	defer cancel()
	addr := l.addr()
	conn, err := l.cfg.Dial(ctx, addr)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	in := wire.NewReader(conn, wire.MaxHello)
	terms, err := l.greet(conn, in)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = l.client.topology.identify(l.node, terms, addr == l.last)
	}
	if err == nil {
		err = l.install(conn, in, terms)
	}
	if err == nil {
		l.last = addr
		return nil
	}
	conn.Close()
	switch {
	case caller.Err() != nil:
		return fmt.Errorf("%w during the handshake", context.Cause(caller))
	case ctx.Err() != nil:
		return fmt.Errorf("%w: no answer to the handshake within %v", ErrNoAnswer, l.cfg.DialTimeout)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("%w: it closes the connection during the handshake (%w)", ErrNotServer, err)
	case errors.Is(err, wire.ErrMalformed) && terms == nil:
		return fmt.Errorf("%w: what it sends is not of the protocol (%w)", ErrNotServer, err)
	}
	return err
}

// greet does the handshake.
func (l *link) greet(conn net.Conn, in *wire.Reader) (*wire.Terms, error) {
	hello := &wire.Greeting{
		MinVersion: wire.Version, MaxVersion: wire.Version, Requires: requires[:], Software: wire.Software,
		Received: l.in.received, Name: l.name, Client: l.lane.identity[:],
	}
	if l.in.terms != nil {
		hello.Session = l.in.terms.Session
	}
	if _, err := conn.Write(wire.AppendHello(nil, hello)); err != nil {
		return nil, err
	}
	for {
		f, ok, err := in.Next()
		switch {
		case err != nil:
			return nil, err
		case ok && f.Type == wire.Refused:
			d := wire.NewDecoder(f.Body)
			return nil, fmt.Errorf("refused by the server: %w", d.Error())
		case ok && f.Type != wire.Welcome:
			return nil, fmt.Errorf("%w: %d instead of a welcome", wire.ErrMalformed, f.Type)
		case ok:
			return wire.DecodeWelcome(f.Body, requires[:])
		}
		if err := in.Fill(); err != nil {
			return nil, err
		}
	}
}

// install makes conn the link's connection.
func (l *link) install(conn net.Conn, in *wire.Reader, terms *wire.Terms) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.out.writer == writing {
		l.out.moved.Wait()
	}
	switch {
	case terms.Resumed && !l.out.Rewind(terms.Received):
		l.in.terms = nil // the next attempt begins a new session
		return fmt.Errorf("%w: the server resumes at an impossible position", wire.ErrMalformed)
	case !terms.Resumed:
		l.renewLocked(slices.Contains(terms.Offers, wire.CapRepeat))
	}
	if l.life.state == ended {
		return space.ErrClosed
	}
	l.in.attach(in, terms)
	l.life.become(up)
	l.silence.pinged, l.silence.suspect = false, false
	l.silence.watch()
	l.out.connect(conn, terms.MaxFrame)
	return nil
}

// renewLocked begins a new session, with a server that supports repeated calls or does not: the knowledge of the old
// session is dropped, and calls in flight end.
func (l *link) renewLocked(repeats bool) {
	sent := l.out.Pos()
	l.session.repeats = l.session.repeats && repeats
	for _, c := range l.calls.flying.all() {
		l.loseLocked(c, sent)
	}
	l.orphansLostLocked(nil, sent)
	l.session.renew(repeats)
	l.out.renew()
	l.in.received = 0
	l.reopenLocked()
}

// loseLocked ends a call in flight whose session is gone; sent is how much of the session's stream was written to a
// connection.
func (l *link) loseLocked(c *pendingCall, sent uint64) {
	c.sent = c.repeated || c.end <= sent
	if c.sent {
		l.inDoubtLocked(c)
	}
	l.calls.end(c, errLost)
}

// inDoubtLocked follows the loss of the outcome of c: c is repeated, or what it may have left behind is ended.
func (l *link) inDoubtLocked(c *pendingCall) {
	if c.recorded() && l.session.repeats {
		l.calls.owe(c)
	}
	l.cleanUpLocked(c)
}

// run watches the connection, and reopens it whenever it has failed, until the link is closed.
func (l *link) run() {
	pauses := l.cfg.backoff()
	pauses.AtOnce = true
	for {
		begun := time.Now()
		err := l.serve()
		l.disconnect()
		if time.Since(begun) > l.cfg.MaxBackoff {
			pauses.Reset() // the connection was useful
		}
		if l.life.isOver() {
			return
		}
		l.cfg.Logger.Info("disconnected", "addr", l.node.addr, "reason", err)
		if !l.reconnect(&pauses) {
			return
		}
		l.cfg.Logger.Info("connected again", "addr", l.node.addr, "resumed", l.in.terms.Resumed)
		if !l.in.terms.Resumed {
			l.begin(func() { l.reattach(nil) })
		}
	}
}

// serve reads the connection until it fails, and keeps it alive with pings.
func (l *link) serve() error {
	failed := make(chan error, 1)
	go func() { failed <- l.read() }()
	tick := time.NewTicker(l.in.terms.Idle / 4)
	defer tick.Stop()
	look := time.NewTimer(listenFor)
	defer look.Stop()
	last, seen := l.in.activity.Load(), time.Now()
	for {
		select {
		case err := <-failed:
			return err
		case now := <-tick.C:
			if n := l.in.activity.Load(); n != last {
				last, seen = n, now
			}
			if now.Sub(seen) >= l.in.terms.Idle {
				l.cutConn()
				continue
			}
			l.post(wire.Ping, 0, nil)
		case <-l.silence.begin:
			look.Reset(listenFor)
		case <-look.C:
			if l.listen() {
				look.Reset(listenFor)
			}
		case <-l.life.over:
			l.cutConn()
			return <-failed
		}
	}
}

func (l *link) cutConn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out.cut()
}

// disconnect drops the connection.
func (l *link) disconnect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.life.state == draining {
		l.in.terms = nil // the server knows that this session is over
	}
	l.out.disconnect()
	l.life.become(down)
	sent := l.out.End() // also what is not sent yet: it will be if the session goes on
	for _, c := range l.calls.flying.all() {
		if c.strands() {
			l.loseLocked(c, sent)
		}
	}
}

// reconnect tries until there is a connection, or returns false when the link is closed. The pauses also grow from one
// call to the next.
func (l *link) reconnect(pauses *backoff.Backoff) bool {
	ctx, cancel := l.life.context()
	defer cancel()
	for pauses.Wait(ctx) == nil {
		atOnce, err := l.awaitNeed(ctx)
		if err != nil {
			return false
		}
		if !atOnce {
			pauses.Reset() // much may have changed
		}
		err = l.connect(ctx)
		if err == nil {
			return true
		}
		l.cfg.Logger.Debug("cannot connect", "addr", l.node.addr, "error", err)
		l.endOverdue()
		l.failedAt(l.addr())
		l.seek()
	}
	return false
}

// endOverdue ends calls in flight that change nothing and whose limits are over without a connection. Others learn
// their outcome however long that takes: only their contexts end them.
func (l *link) endOverdue() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.calls.flying.all() {
		if c.limited && c.repeatable() && !c.locks() && time.Since(c.limitAt(l.cfg.Grace)) > 0 {
			if c.lasts() {
				l.out.post(wire.CancelWait, c.frame, nil)
			}
			l.abandonLocked(c)
			l.calls.end(c, fmt.Errorf("%w: not connected to %s", space.ErrUnavailable, l.node.addr))
		}
	}
}
