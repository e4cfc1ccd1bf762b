package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/gospaces/gospaces/internal/backoff"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
)

// requires are the capabilities without which this client does not work.
var requires = [...]string{wire.CapSpaces}

// connect makes a connection and either goes on with the session or begins a new one.
func (l *link) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.DialTimeout)
	defer cancel()
	conn, err := l.cfg.Dial(ctx, l.cfg.Addr)
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
		err = l.install(conn, in, terms)
	}
	if err != nil {
		conn.Close()
		return errors.Join(err, ctx.Err())
	}
	return nil
}

// greet does the handshake.
func (l *link) greet(conn net.Conn, in *wire.Reader) (*wire.Terms, error) {
	hello := &wire.Greeting{
		MinVersion: wire.Version, MaxVersion: wire.Version, Requires: requires[:], Software: wire.Software, Received: l.received,
		Name: l.name, Client: l.identity[:],
	}
	if l.terms != nil {
		hello.Session = l.terms.Session
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
	for l.flushing {
		l.quiet.Wait()
	}
	switch {
	case terms.Resumed && !l.out.Rewind(terms.Received):
		l.terms = nil // the next attempt begins a new session
		return fmt.Errorf("%w: the server resumes at an impossible position", wire.ErrMalformed)
	case !terms.Resumed:
		l.renewLocked(slices.Contains(terms.Offers, wire.CapRepeat))
	}
	if l.state == ended {
		return space.ErrClosed
	}
	in.SetLimit(terms.MaxFrame)
	in.Restart(l.received)
	l.in, l.terms, l.acked, l.maxFrame = in, terms, l.received, terms.MaxFrame
	l.conn = conn
	l.setStateLocked(up)
	l.wakeLocked()
	return nil
}

// renewLocked begins a new session, with a server that knows of repeated calls or does not: what the old one knew is
// forgotten, and calls in flight end.
func (l *link) renewLocked(repeats bool) {
	sent := l.out.Pos()
	for _, c := range l.calls.all() {
		c.sent = c.repeated || c.end <= sent
		if c.sent && c.recorded() && l.repeats && repeats {
			l.oweLocked(c)
		}
		if c.sent {
			l.cleanUpLocked(c)
		}
		l.endLocked(c, errLost)
	}
	l.orphansLostLocked(sent, repeats)
	l.repeats = repeats
	l.epoch++
	l.out = wire.Stream{}
	l.views = nil
	l.received = 0
	l.reopenLocked()
}

// run watches the connection, and makes it again whenever it has failed, until the link is closed.
func (l *link) run() {
	pauses := l.cfg.backoff()
	pauses.AtOnce = true
	for {
		begun := time.Now()
		err := l.serve()
		l.disconnect()
		if time.Since(begun) > l.cfg.MaxBackoff {
			pauses.Reset() // the connection was good for something
		}
		if l.isClosed() {
			return
		}
		l.cfg.Logger.Info("disconnected", "addr", l.cfg.Addr, "reason", err)
		if !l.reconnect(&pauses) {
			return
		}
		l.cfg.Logger.Info("connected again", "addr", l.cfg.Addr, "resumed", l.terms.Resumed)
		if !l.terms.Resumed {
			l.stopped.Go(func() { l.reattach(nil) })
		}
	}
}

// serve reads the connection until it fails, and keeps it alive with pings.
func (l *link) serve() error {
	failed := make(chan error, 1)
	go func() { failed <- l.read() }()
	tick := time.NewTicker(l.terms.Idle / 4)
	defer tick.Stop()
	last, seen := l.activity.Load(), time.Now()
	for {
		select {
		case err := <-failed:
			return err
		case now := <-tick.C:
			if n := l.activity.Load(); n != last {
				last, seen = n, now
			}
			if now.Sub(seen) >= l.terms.Idle {
				l.cutConn()
				continue
			}
			l.post(wire.Ping, 0, nil)
		case <-l.closed:
			l.cutConn()
			return <-failed
		}
	}
}

func (l *link) cutConn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		l.conn.Close()
	}
}

// disconnect lets go of the connection.
func (l *link) disconnect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == draining {
		l.terms = nil // the server knows that this session is over
	}
	l.conn.Close()
	l.conn = nil
	l.quiet.Broadcast()
	l.setStateLocked(down)
}

// reconnect tries until there is a connection again, or returns false when the link is closed. The pauses grow from one
// call to the next too.
func (l *link) reconnect(pauses *backoff.Backoff) bool {
	ctx, cancel := l.context()
	defer cancel()
	for pauses.Wait(ctx) == nil {
		err := l.connect(ctx)
		if err == nil {
			return true
		}
		l.cfg.Logger.Debug("cannot connect", "addr", l.cfg.Addr, "error", err)
		l.endOverdue()
	}
	return false
}

// endOverdue ends the calls in flight that change nothing and would have been answered by now, were there a connection.
// Others learn their outcome however long that takes: only their contexts end them.
func (l *link) endOverdue() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.calls.all() {
		if c.limited && c.repeatable() && !c.locks() && time.Since(c.limitAt(l.cfg.Grace)) > 0 {
			if c.lasts() {
				l.out.Commit(wire.AppendFrame(l.out.Buffer(), wire.CancelWait, c.number, nil))
			}
			l.abandonLocked(c)
			l.endLocked(c, fmt.Errorf("%w: not connected to %s", space.ErrUnavailable, l.cfg.Addr))
		}
	}
}

// context returns a context that ends when the link is closed, or cancel is called.
func (l *link) context() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	l.stopped.Go(func() {
		select {
		case <-l.closed:
			cancel()
		case <-ctx.Done():
		}
	})
	return ctx, cancel
}

func (l *link) isClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}
