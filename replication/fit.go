package replication

import (
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// Fit returns why this node must not be the primary of the log: its disk is full, or the server has failed to write its
// part of the log, and stores no more until the process is started again. It is nil if there is nothing of the kind. It
// does not block, and is about a second old.
func (l *Log) Fit() error {
	if s, ok := l.home.(*shared); ok {
		return s.fit()
	}
	return l.home.present()
}

// Current reports whether this node has its own part of the log to the end that this process knows, and the leader says
// no more. A node that was started again may not have it yet, and others cannot tell: with Cluster.Memory the next node
// must not be stopped before. In a process that is alone it is true.
func (l *Log) Current() bool {
	srv, err := l.store.server()
	if err != nil || l.store.cfg.Cluster == nil {
		return err == nil
	}
	st, ok := localState(srv.srv, l.id.stream())
	return ok && st.LastSeq >= l.Last() && srv.srv.JetStreamIsStreamCurrent(server.DEFAULT_GLOBAL_ACCOUNT, l.id.stream())
}

func (l *shared) fit() error {
	if err := l.ill.Load(); err != nil {
		return *err
	}
	return l.admit(0)
}

// measure takes over what this node's part of the log says of its size: what it lacks it will get.
func (l *shared) measure() {
	if st, ok := localState(l.srv.srv, l.id.stream()); ok && st.Msgs > 0 {
		l.purged(jetstream.StreamState{FirstSeq: st.FirstSeq, Msgs: st.Msgs, Bytes: st.Bytes})
	}
}

// watch implements home.
func (l *shared) watch(note bool) {
	if !note {
		return
	}
	l.measure()
	if l.ill.Load() != nil {
		return
	}
	if err := writeError(l.srv.srv, l.id.stream()); err != nil {
		err = fmt.Errorf("%w: this node has failed to write log %v, and must be started again: %w", ErrFailed, l.id, err)
		l.store.cfg.Logger.Error("log_frozen", "log", l.id.String(), "error", err)
		l.ill.Store(&err)
	}
}
