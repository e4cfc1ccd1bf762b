package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
)

// link is one connection to a server, made again whenever it fails, and the session that it carries.
//
// Three goroutines run it: run connects and watches, read delivers answers, write sends what callers have appended. A
// caller appends its request under the lock and then waits for nothing but its answer.
//
// What a link is made of is cut by what it is about: its life, what it sends and receives, the calls, and what both
// sides know of spaces. One lock guards them all, since a call that is sent concerns most of them.
type link struct {
	client *Client
	cfg    *Config
	node   *node
	lane   *lane
	name   string // shown to people
	in     incoming
	last   string // address of the last connection; owned by run

	mu      sync.Mutex
	at      string                   // guarded by mu; the address of the connection, or of the next
	life    life                     // guarded by mu
	out     stream                   // guarded by mu
	calls   calls                    // guarded by mu
	session session                  // guarded by mu
	silence silence                  // guarded by mu
	regs    map[regKey]*registration // guarded by mu
}

// errLost ends calls in flight whose session is gone.
var errLost = errors.New("client: session lost")

func newLink(c *Client, n *node, lane *lane) *link {
	l := &link{
		client: c, cfg: &c.cfg, node: n, lane: lane, name: processName(), life: newLife(), silence: newSilence(),
		at: n.addr, session: session{epochs: &lane.epochs}, regs: map[regKey]*registration{},
	}
	l.out, l.calls = newStream(&l.mu), newCalls(&l.mu, lane)
	return l
}

// start opens the first connection and starts the goroutines.
func (l *link) start(ctx context.Context) error {
	if err := l.connect(ctx); err != nil {
		return err
	}
	l.life.tasks.Go(l.run)
	l.life.tasks.Go(func() { l.out.write(l.life.over) })
	return nil
}

// begin runs task on a goroutine of the link, unless that has ended.
func (l *link) begin(task func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.life.start(task)
}

// awaitUp waits until calls can be sent and returns with the lock held, or with an error and without: errAstray if c is
// to be sent by another link meanwhile.
func (l *link) awaitUp(ctx context.Context, c *pendingCall) error {
	l.mu.Lock()
	for l.life.state != up {
		state, changed, astray := l.life.state, l.life.changed, c.isAstray(l)
		l.mu.Unlock()
		switch {
		case astray:
			return errAstray
		case state == ended:
			return space.ErrClosed
		}
		if err := l.awaitChange(ctx, c, changed); err != nil {
			return err
		}
		l.mu.Lock()
	}
	// checked under the lock, so that Close finds every earlier call
	if err := c.part.over(); err != nil && (!c.posthumous || err == errMisrouted) {
		l.mu.Unlock()
		return err
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
		return fmt.Errorf("%w: not connected to %s", space.ErrUnavailable, l.node.addr)
	case <-c.closed():
		return space.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// closed returns a channel that is closed when c must not be made any more.
func (c *pendingCall) closed() <-chan struct{} {
	if c.posthumous {
		return nil
	}
	return c.part.space.closed
}

// send sends c as soon as there is a connection. It returns errNotOpen or a *missingKindError if that takes another
// call first, and errAstray if another link is to send it.
func (l *link) send(ctx context.Context, c *pendingCall) error {
	if err := l.awaitUp(ctx, c); err != nil {
		return err
	}
	defer l.mu.Unlock()
	v := l.session.view(c.part)
	if err := l.checkLocked(c, v); err != nil {
		return err
	}
	c.epoch, c.via = v.epoch, l
	b := l.out.Buffer()
	start := len(b)
	l.calls.flying.add(c)
	if c.repeated {
		b = wire.AppendRepeated(wire.Begin(b, wire.Repeat, c.frame), c.op, c.ask, c.number)
	} else {
		c.number, c.born = c.frame, v.epoch
		b = wire.Begin(b, c.op, c.frame)
	}
	b, err := c.encode(b, v)
	size := len(b) - start
	if err != nil || size > l.out.maxFrame {
		l.calls.remove(c.frame)
		l.out.Commit(b[:start])
		if err != nil {
			return err
		}
		return fmt.Errorf("%w: request of %d bytes; the server takes %d", space.ErrTooLarge, size, l.out.maxFrame)
	}
	l.out.Commit(wire.End(b, start))
	c.end = l.out.End()
	if !c.moved {
		l.calls.pay(c)
	}
	l.out.rouse()
	l.silence.watch()
	return nil
}

// checkLocked returns nil if c can be sent in the present session.
func (l *link) checkLocked(c *pendingCall, v *view) error {
	switch {
	case l.session.of(c.part).gone && c.link == nil:
		return errAstray
	case !v.open && c.entry().HasHandle() && c.op != wire.Open:
		return errNotOpen
	case c.op == wire.Attach && v.incarnation == "":
		return space.ErrDropped
	case c.op == wire.Attach && c.reg.incarnation != v.incarnation:
		return space.ErrLeaseEnded // the number means something else now
	case c.cursor != (call.Cursor{}) && c.epoch != v.epoch:
		return fmt.Errorf("%w: the server has lost its place in the iteration", space.ErrUnavailable)
	case c.repeated:
		return l.session.repeatable(c)
	}
	return nil
}

// Errors of send that the caller handles.
var errNotOpen = errors.New("client: the space is not open yet")

type missingKindError struct{ kind string }

func (e *missingKindError) Error() string {
	return fmt.Sprintf("client: kind %q is not known yet", e.kind)
}

// post appends a frame that has no answer. Without a connection it is sent if the session continues.
func (l *link) post(t wire.Type, id uint64, body []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out.post(t, id, body)
}

// await waits for the outcome of c, or until ctx ends; then it cancels the call if it can.
func (l *link) await(ctx context.Context, c *pendingCall) error {
	select {
	case <-c.done:
		return c.outcome()
	case <-ctx.Done():
	}
	if c.lasts() {
		l.post(wire.CancelWait, c.frame, nil)
	}
	if !c.repeatable() || c.locks() || c.query.Begin || c.reserve || c.op == wire.Abort {
		return l.awaitVerdict(ctx, c)
	}
	if l.abandon(c) {
		return ctx.Err()
	}
	return c.outcome()
}

// awaitVerdict waits for the outcome of a call that may have changed or locked something although its context has
// ended, so that a granted entry is not lost.
func (l *link) awaitVerdict(ctx context.Context, c *pendingCall) error {
	t := time.NewTimer(l.cfg.Grace)
	defer t.Stop()
	select {
	case <-c.done:
		return c.outcome()
	case <-t.C:
	case <-l.life.over:
	}
	switch {
	case !l.abandon(c):
		return c.outcome()
	case c.reserve:
		return ctx.Err() // the reservation ends by itself
	case c.query.Begin:
		return ctx.Err() // what it may have begun is aborted
	}
	return fmt.Errorf("%w: %w", space.ErrOutcomeUnknown, ctx.Err())
}

// abandon removes c from the calls in flight; its late answer is handled in the background. If it returns false the
// outcome came first.
func (l *link) abandon(c *pendingCall) bool {
	l.mu.Lock()
	mine := l.calls.flying.get(c.frame) == c
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
	l.calls.remove(c.frame)
	if c.moved {
		l.calls.pay(c)
	}
	if c.outlives() && !c.posthumous {
		l.orphanLocked(c)
	}
}

// call makes a call once, on this connection only.
func (l *link) call(ctx context.Context, c *pendingCall) error {
	if err := l.send(ctx, c); err != nil {
		return err
	}
	return l.await(ctx, c)
}
