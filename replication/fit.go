package replication

import (
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// Fit returns why this node must not be the primary of the log: its disk is full; the server has failed to write this
// node's part of the log, and stores no more until the process is started again; or that part has been behind for
// seconds, as after a start. It returns nil if all is well. It does not block, and its answer is about a second old.
func (l *Log) Fit() error {
	s, ok := l.home.(*shared)
	if !ok {
		return l.home.present()
	}
	if err := s.fit(); err != nil {
		return err
	}
	if end, ok := s.part(); ok {
		return s.lag.check(end, l.Last(), time.Now())
	}
	return nil
}

// Current reports whether this node has its part of the log up to the end that this process knows, and the leader knows
// no more. A node that was started again may not have it yet, and others cannot tell: with Cluster.Memory the next node
// must not be stopped before. In a server that is alone it is true.
func (l *Log) Current() bool {
	srv, err := l.store.server()
	if err != nil || l.store.cfg.Cluster == nil {
		return err == nil
	}
	if srv.isOutside() {
		return true
	}
	st, ok := localState(srv.srv, l.id.stream())
	return ok && st.LastSeq >= l.Last() && srv.srv.JetStreamIsStreamCurrent(server.DEFAULT_GLOBAL_ACCOUNT, l.id.stream())
}

// fit is Fit for a claim, which a part that is behind does not prevent.
func (l *shared) fit() error {
	if err := l.ill.Load(); err != nil {
		return *err
	}
	return l.admit(0)
}

// part returns the position at which this node's part of the log ends; false if the node has none, or it is not known.
func (l *shared) part() (end uint64, ok bool) {
	if !linked || l.srv.isOutside() {
		return 0, false
	}
	st, ok := localState(l.srv.srv, l.id.stream())
	return st.LastSeq, ok
}

// lag tells whether a node's part of a log keeps up: the server may stop writing it without any error. A part is always
// behind by what is under way, so it is given goals, and a time in which to reach each.
type lag struct {
	mu      sync.Mutex
	goal    uint64    // position that is to be reached
	since   time.Time // when goal was set
	reached bool      // a goal was
}

// lagPatience is how long a part may take to reach its goal.
const lagPatience = 3 * time.Second

// check returns why a part that ends at a position is not up to date; last is the known end of the log.
func (b *lag) check(end, last uint64, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.since.IsZero() {
		b.goal, b.since = last, now
	}
	if end >= b.goal {
		b.goal, b.since, b.reached = last, now, true
		return nil
	}
	if b.reached && now.Sub(b.since) < lagPatience {
		return nil
	}
	return fmt.Errorf("%w: it ends at position %d of %d", ErrBehind, end, last)
}

// measure takes over the size of the log that this node's part tells. What the part lacks, it will get.
func (l *shared) measure() {
	if l.srv.isOutside() {
		l.measureOutside()
		return
	}
	if st, ok := localState(l.srv.srv, l.id.stream()); ok && st.Msgs > 0 {
		l.purged(jetstream.StreamState{FirstSeq: st.FirstSeq, Msgs: st.Msgs, Bytes: st.Bytes})
	}
}

func (l *shared) watch(note bool) {
	if !note {
		return
	}
	l.measure()
	if l.ill.Load() != nil || l.srv.isOutside() {
		return
	}
	if err := writeError(l.srv.srv, l.id.stream()); err != nil {
		err = fmt.Errorf("%w: this node has failed to write log %v, and must be started again: %w", ErrFailed, l.id, err)
		l.store.cfg.Logger.Error("log_frozen", "log", l.id.String(), "error", err)
		l.ill.Store(&err)
	}
}
