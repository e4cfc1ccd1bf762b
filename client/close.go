package client

import (
	"fmt"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
)

// close says goodbye and ends the link. Calls still in flight end with space.ErrClosed, or space.ErrOutcomeUnknown if
// they may have changed something.
func (l *link) close() {
	l.goodbye()
	l.mu.Lock()
	l.life.become(ended)
	l.mu.Unlock()
	l.life.tasks.Wait()
	l.mu.Lock()
	for _, c := range l.takeBackLocked(nil) {
		l.cancelLocked(c)
	}
	l.mu.Unlock()
	l.endOrphans()
}

// goodbye ends the session gracefully, if there is a connection: everything appended is sent first.
func (l *link) goodbye() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out.conn == nil {
		return
	}
	l.out.post(wire.Goodbye, 0, nil)
	l.awaitLocked(&l.out.moved, l.out.isFlushed)
}

// endCalls ends the calls of a closed space. Those that may have changed something get time to learn their outcome.
func (l *link) endCalls(s *part) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.takeBackLocked(s) {
		if c.repeatable() {
			l.cancelLocked(c)
		}
	}
	l.calls.watchers++
	l.awaitLocked(&l.calls.settled, func() bool { return len(l.calls.of(s)) == 0 })
	l.calls.watchers--
	for _, c := range l.takeBackLocked(s) {
		l.cancelLocked(c)
	}
}

// takeBackLocked takes back the calls in flight that wait, and returns all calls in flight, of a space or of all. They
// are in flight only as long as the lock is held.
func (l *link) takeBackLocked(s *part) []*pendingCall {
	calls := l.calls.of(s)
	for _, c := range calls {
		if c.lasts() {
			l.out.post(wire.CancelWait, c.frame, nil)
		}
	}
	return calls
}

// cancelLocked ends a call in flight.
func (l *link) cancelLocked(c *pendingCall) {
	err := space.ErrClosed
	if !c.repeatable() {
		err = fmt.Errorf("%w: the client was closed before the answer came", space.ErrOutcomeUnknown)
	}
	l.abandonLocked(c)
	l.calls.end(c, err)
}

// awaitLocked waits on changed until cond holds or Config.Grace is over.
func (l *link) awaitLocked(changed *sync.Cond, cond func() bool) {
	over := false
	t := time.AfterFunc(l.cfg.Grace, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		over = true
		changed.Broadcast()
	})
	defer t.Stop()
	for !cond() && !over {
		changed.Wait()
	}
}
