package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
)

// link is one connection to the server, made again whenever it fails, and the session that it carries.
//
// Three goroutines run it: run connects and watches, read delivers answers, write sends what callers have appended. A
// caller appends its request under the lock and then waits for nothing but its answer.
type link struct {
	client   *Client
	cfg      *Config
	identity call.Client   // by which the server knows which calls are its
	name     string        // by which people know it
	wake     chan struct{} // capacity 1: there is something for the writer
	closed   chan struct{} // closed by close
	stopped  sync.WaitGroup
	activity atomic.Uint64 // reads that brought something, counted

	// Owned by run and, while it runs, read.
	in       *wire.Reader
	received uint64 // position in the server's stream
	acked    uint64 // the part of it that the server was told about
	terms    *wire.Terms

	mu        sync.Mutex
	quiet     sync.Cond            // on mu: flushing has ended, or a call has
	state     state                // guarded by mu
	changed   chan struct{}        // guarded by mu; closed and replaced whenever state changes
	conn      net.Conn             // guarded by mu; nil unless connected
	out       wire.Stream          // guarded by mu
	flushing  bool                 // guarded by mu; the writer writes to conn
	idle      bool                 // guarded by mu; the writer waits for wake
	epoch     uint64               // guarded by mu; counts sessions, and resets of spaces
	maxFrame  int                  // guarded by mu
	calls     table                // guarded by mu
	views     []view               // guarded by mu; by handle of the space
	spaces    []known              // guarded by mu; likewise, and outlives sessions
	repeats   bool                 // guarded by mu; the server can be asked for the outcomes of calls
	unclaimed map[uint64]unclaimed // guarded by mu; by number of the call
	reopening bool                 // guarded by mu; reopen runs
	// guarded by mu; calls that were sent in sessions that are gone, and are yet to be repeated
	owed     int
	regs     map[regKey]*registration // guarded by mu
	orphans  orphans                  // guarded by mu
	watchers int                      // guarded by mu; how many wait on quiet for calls to end
}

// state says what a link does with calls.
type state uint8

const (
	down     state = iota // they wait for a connection
	up                    // they are sent
	draining              // the server shuts down: they wait for the next connection, those in flight come to their end
	ended                 // the client is closed
)

// errLost ends calls in flight when the session that they belonged to is gone.
var errLost = errors.New("client: session lost")

func newLink(c *Client) *link {
	l := &link{
		client: c, cfg: &c.cfg, identity: identity(), name: processName(),
		wake: make(chan struct{}, 1), closed: make(chan struct{}), changed: make(chan struct{}),
		regs: map[regKey]*registration{},
	}
	l.quiet.L = &l.mu
	return l
}

// start makes the first connection and starts the goroutines.
func (l *link) start(ctx context.Context) error {
	if err := l.connect(ctx); err != nil {
		return err
	}
	l.stopped.Go(l.run)
	l.stopped.Go(l.write)
	return nil
}

// setStateLocked changes the state and wakes the calls that wait for that.
func (l *link) setStateLocked(s state) {
	if l.state == ended {
		return
	}
	l.state = s
	close(l.changed)
	l.changed = make(chan struct{})
}

// awaitUp waits until calls can be sent and returns with the lock held, or with an error and without.
func (l *link) awaitUp(ctx context.Context, c *pendingCall) error {
	l.mu.Lock()
	for l.state != up {
		if l.state == ended {
			l.mu.Unlock()
			return space.ErrClosed
		}
		changed := l.changed
		l.mu.Unlock()
		if err := l.awaitChange(ctx, c, changed); err != nil {
			return err
		}
		l.mu.Lock()
	}
	// looked at under the lock, so that Close finds every call that came before
	if !c.posthumous && c.space.isClosed() {
		l.mu.Unlock()
		return space.ErrClosed
	}
	return nil
}

func (l *link) awaitChange(ctx context.Context, c *pendingCall, changed chan struct{}) error {
	var over <-chan time.Time
	if c.limited && !c.repeated {
		t := time.NewTimer(time.Until(c.limitAt(l.cfg.Grace)))
		defer t.Stop()
		over = t.C
	}
	select {
	case <-changed:
		return nil
	case <-over:
		return fmt.Errorf("%w: not connected to %s", space.ErrUnavailable, l.cfg.Addr)
	case <-c.closed():
		return space.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// closed returns a channel that is closed when c is not to be made any more.
func (c *pendingCall) closed() <-chan struct{} {
	if c.posthumous {
		return nil
	}
	return c.space.closed
}

// send sends c as soon as there is a connection. It returns errNotOpen or a *missingKindError if that takes another
// call first.
func (l *link) send(ctx context.Context, c *pendingCall) error {
	if err := l.awaitUp(ctx, c); err != nil {
		return err
	}
	defer l.mu.Unlock()
	v := l.viewLocked(c.space)
	if !v.open && c.entry().HasHandle() && c.op != wire.Open {
		return errNotOpen
	}
	if c.repeated {
		if err := l.repeatableLocked(c); err != nil {
			return err
		}
	}
	if c.op == wire.Attach && v.incarnation == "" {
		return space.ErrDropped
	}
	if c.op == wire.Attach && c.reg.incarnation != v.incarnation {
		return space.ErrLeaseEnded // the number means something else now
	}
	if c.cursor != (call.Cursor{}) && c.epoch != v.epoch {
		return fmt.Errorf("%w: the server has lost its place in the iteration", space.ErrUnavailable)
	}
	c.epoch, c.via = v.epoch, l
	b := l.out.Buffer()
	start := len(b)
	if c.repeated {
		l.calls.addAgain(c)
		b = wire.AppendRepeated(wire.Begin(b, wire.Repeat, c.number), c.op, c.ask)
	} else {
		l.calls.add(c)
		c.born = v.epoch
		b = wire.Begin(b, c.op, c.number)
	}
	b, err := c.encode(b, v)
	size := len(b) - start
	if err != nil || size > l.maxFrame {
		l.calls.remove(c.number)
		l.out.Commit(b[:start])
		if err != nil {
			return err
		}
		return fmt.Errorf("%w: request of %d bytes; the server takes %d", space.ErrTooLarge, size, l.maxFrame)
	}
	l.out.Commit(wire.End(b, start))
	c.end = l.out.End()
	l.paidLocked(c)
	l.wakeLocked()
	return nil
}

// Errors of send that the caller puts right.
var errNotOpen = errors.New("client: the space is not open yet")

type missingKindError struct{ kind string }

func (e *missingKindError) Error() string {
	return fmt.Sprintf("client: kind %q is not known yet", e.kind)
}

// post appends a frame that has no answer. Without a connection it is sent if the session goes on.
func (l *link) post(t wire.Type, id uint64, body []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out.Commit(wire.AppendFrame(l.out.Buffer(), t, id, body))
	l.wakeLocked()
}

// await waits for the outcome of c, or until ctx ends; then it takes the call back if it can.
func (l *link) await(ctx context.Context, c *pendingCall) error {
	select {
	case <-c.done:
		return c.outcome()
	case <-ctx.Done():
	}
	if c.lasts() {
		l.post(wire.CancelWait, c.number, nil)
	}
	if !c.repeatable() || c.locks() || c.query.Begin || c.op == wire.Abort {
		return l.awaitVerdict(ctx, c)
	}
	if l.abandon(c) {
		return ctx.Err()
	}
	return c.outcome()
}

// awaitVerdict waits for the outcome of a call that may have changed or locked something although its context has
// ended: an entry that was granted is not lost.
func (l *link) awaitVerdict(ctx context.Context, c *pendingCall) error {
	t := time.NewTimer(l.cfg.Grace)
	defer t.Stop()
	select {
	case <-c.done:
		return c.outcome()
	case <-t.C:
	case <-l.closed:
	}
	switch {
	case !l.abandon(c):
		return c.outcome()
	case c.query.Begin:
		return ctx.Err() // what it may have begun is aborted
	}
	return fmt.Errorf("%w: %w", space.ErrOutcomeUnknown, ctx.Err())
}

// settledLocked wakes those that wait for calls to end.
func (l *link) settledLocked() {
	if l.watchers > 0 {
		l.quiet.Broadcast()
	}
}

// abandon takes c out of the calls in flight; its late answer is dealt with in the background. If it returns false the
// outcome came first, and is there.
func (l *link) abandon(c *pendingCall) bool {
	l.mu.Lock()
	mine := l.calls.get(c.number) == c
	if mine {
		l.abandonLocked(c)
	}
	l.mu.Unlock()
	if !mine {
		<-c.done
	}
	return mine
}

func (l *link) abandonLocked(c *pendingCall) {
	l.calls.remove(c.number)
	if c.outlives() && !c.posthumous {
		l.orphanLocked(c)
	}
	l.settledLocked()
}

// wakeLocked makes the writer send what was appended, unless it is about to.
func (l *link) wakeLocked() {
	if l.idle && l.conn != nil {
		l.idle = false
		l.wake <- struct{}{} // there is room: only an idle writer is woken, and only once
	}
}

// write sends what is appended until the link is closed.
func (l *link) write() {
	for {
		l.flush()
		select {
		case <-l.wake:
			runtime.Gosched() // callers that are about to append more share the system call
		case <-l.closed:
			return
		}
	}
}

// flush writes all that is unsent. An error closes the connection, which the reader notices.
func (l *link) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.conn != nil && l.out.Len() > 0 {
		conn, b := l.conn, l.out.Unsent()
		l.flushing = true
		l.mu.Unlock()
		n, err := conn.Write(b)
		l.mu.Lock()
		l.flushing = false
		l.out.Sent(n)
		l.quiet.Broadcast()
		if err != nil {
			conn.Close()
			break
		}
	}
	l.idle = true
}
