package client

import (
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
)

// close says goodbye and ends the link. Calls still in flight end with space.ErrClosed, or space.ErrOutcomeUnknown if
// they may have changed something.
func (l *link) close() {
	l.goodbye()
	l.mu.Lock()
	l.setStateLocked(ended)
	l.mu.Unlock()
	close(l.closed)
	l.stopped.Wait()
	for _, c := range l.inFlight(nil) {
		l.abort(c)
	}
	l.endOrphans()
}

// goodbye ends the session in good order, if there is a connection: everything that was appended is sent first.
func (l *link) goodbye() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return
	}
	l.out.Commit(wire.AppendFrame(l.out.Buffer(), wire.Goodbye, 0, nil))
	l.wakeLocked()
	l.awaitLocked(func() bool { return l.conn == nil || l.out.Len() == 0 })
}

// endCalls ends the calls of a space that is closed. Those that may have changed something get the time to learn.
func (l *link) endCalls(s *Space) {
	for _, c := range l.inFlight(s) {
		if c.repeatable() {
			l.abort(c)
		}
	}
	l.mu.Lock()
	l.awaitLocked(func() bool { return l.inFlightLocked(s) == nil })
	l.mu.Unlock()
	for _, c := range l.inFlight(s) {
		l.abort(c)
	}
}

// inFlight returns the calls in flight of a space, or all, and takes those back that wait.
func (l *link) inFlight(s *Space) []*pendingCall {
	l.mu.Lock()
	defer l.mu.Unlock()
	calls := l.inFlightLocked(s)
	for _, c := range calls {
		if c.lasts() {
			l.out.Commit(wire.AppendFrame(l.out.Buffer(), wire.CancelWait, c.number, nil))
		}
	}
	l.wakeLocked()
	return calls
}

func (l *link) inFlightLocked(s *Space) []*pendingCall {
	var calls []*pendingCall
	for _, c := range l.calls.all() {
		if s == nil || c.space == s {
			calls = append(calls, c)
		}
	}
	return calls
}

// abort ends a call in flight, unless it has had its outcome.
func (l *link) abort(c *pendingCall) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls.get(c.number) != c {
		return
	}
	err := space.ErrClosed
	if !c.repeatable() {
		err = fmt.Errorf("%w: the client was closed before the answer came", space.ErrOutcomeUnknown)
	}
	l.abandonLocked(c)
	l.endLocked(c, err)
}

// endLocked ends a call in flight with an error.
func (l *link) endLocked(c *pendingCall, err error) {
	l.calls.remove(c.number)
	c.err = err
	c.done <- struct{}{}
}

// awaitLocked waits until cond holds or Config.Grace is over.
func (l *link) awaitLocked(cond func() bool) {
	over := false
	t := time.AfterFunc(l.cfg.Grace, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		over = true
		l.quiet.Broadcast()
	})
	defer t.Stop()
	l.watchers++
	for !cond() && !over {
		l.quiet.Wait()
	}
	l.watchers--
}
