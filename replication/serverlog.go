package replication

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"strings"
	"sync"
	"time"
)

// serverLog forwards the embedded server's log, and records the first fatal message, which the server does not return.
type serverLog struct {
	log *slog.Logger

	mu       sync.Mutex
	first    error                // guarded by mu
	stranger time.Time            // guarded by mu; when a node with another secret was refused last
	said     map[string]time.Time // guarded by mu; when messages of once were logged last
}

// fatal returns the first fatal message, or nil.
func (l *serverLog) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}

func (l *serverLog) Fatalf(format string, v ...any) {
	err := fmt.Errorf(format, v...)
	if cause, ok := fatalCause(format, v); ok {
		err = &SettingError{
			"Cluster.Listen", "or else the address of this node in Cluster.Peers, cannot be used", cause,
		}
	}
	l.mu.Lock()
	if l.first == nil {
		l.first = err
	}
	l.mu.Unlock()
	l.log.Error("nats_server", "text", err.Error())
}

// fatalCause returns the cause if a fatal message says that the server cannot listen for other nodes.
func fatalCause(format string, v []any) (error, bool) {
	if format != "Error listening on router port: %d - %v" || len(v) != 2 {
		return nil, false
	}
	err, ok := v[1].(error)
	return err, ok
}

func (l *serverLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if format == unreached && len(v) == 2 {
		l.once(slog.LevelInfo, "node_not_reached", "error", fmt.Sprint(v[1]))
		return
	}
	if at, reason, ok := strings.Cut(text, routeFails); ok && isStranger(reason) {
		l.refused(at)
		l.log.Debug("nats_server", "text", text)
		return
	}
	if _, rest, ok := strings.Cut(text, duplicate); ok {
		l.twin(strings.Trim(rest, `"`))
		l.log.Debug("nats_server", "text", text)
		return
	}
	l.log.Error("nats_server", "text", text)
}

// unreached is the error about a node that is not there.
const unreached = "Error trying to connect to route (attempt %v): %v"

// routeFails separates the address and the problem in an error about a connection with another node.
const routeFails = " - rid:"

// isStranger reports whether the error of a connection says that the other node does not have this one's secret, or
// belongs to another cluster.
func isStranger(reason string) bool {
	return strings.HasSuffix(reason, " - authentication error") ||
		strings.Contains(reason, "cluster name") && strings.Contains(reason, "does not match") ||
		strings.Contains(reason, "TLS route handshake error: ") &&
			(strings.Contains(reason, "certificate") || strings.Contains(reason, "not look like a TLS"))
}

// duplicate comes before the quoted name in the error about a node that has this one's name.
const duplicate = "Remote server has a duplicate name: "

// twin logs that another node with this one's name has connected. After a restart of the machine it may be a remainder
// of this node's last process.
func (l *serverLog) twin(name string) {
	l.once(slog.LevelError, "node_name_twice", "node", name,
		"why", fmt.Sprintf("another node with the name %q is connected to this cluster: if that goes on, stop it, or "+
			"give one of the two another name (--node) and an empty folder", name))
}

// refused logs that another node was refused because it is a stranger, and records that.
func (l *serverLog) refused(addr string) {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		addr = host // the port of a node that connects is any
	}
	l.mu.Lock()
	l.stranger = time.Now()
	l.mu.Unlock()
	l.once(slog.LevelWarn, "node_refused", "address", addr,
		"why", "its cluster key (--cluster-key-file) or the name of its cluster (--cluster) is not that of this node")
}

// strangers reports whether a node was refused lately because it has another secret. Nodes try to connect each second.
func (l *serverLog) strangers() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.stranger) < strangerFor
}

// once logs a message, unless it was logged within the last minute.
func (l *serverLog) once(level slog.Level, msg string, args ...any) {
	key := fmt.Sprint(msg, args)
	l.mu.Lock()
	last, said := l.said[key]
	now := time.Now()
	again := !said || now.Sub(last) >= repeatAfter
	if again {
		maps.DeleteFunc(l.said, func(_ string, at time.Time) bool { return now.Sub(at) >= repeatAfter })
		if l.said == nil {
			l.said = map[string]time.Time{}
		}
		l.said[key] = now
	}
	l.mu.Unlock()
	if again {
		l.log.Log(context.Background(), level, msg, args...)
	}
}

const (
	strangerFor = 5 * time.Second
	repeatAfter = time.Minute
)

func (l *serverLog) Warnf(format string, v ...any) {
	text, level := fmt.Sprintf(format, v...), slog.LevelWarn
	if chosen[format] || aboutIndex(format) || usual(text) {
		level = slog.LevelDebug
	}
	l.log.Log(context.Background(), level, "nats_server", "text", text)
}

// chosen are warnings about intended settings: the password is random and never leaves the process, and a large message
// needs a write call as large, which makes it durable.
var chosen = map[string]bool{
	"Plaintext passwords detected, use nkeys or bcrypt":                                     true,
	"Maximum payloads over %v are generally discouraged and could lead to poor performance": true,
}

// usual reports whether a warning is about what happens in every cluster: before there is a leader the server knows
// none, and from time to time it writes down which logs there are.
func usual(text string) bool {
	return text == "Waiting for routing to be established..." ||
		text == "JetStream has not established contact with a meta leader" ||
		strings.HasPrefix(text, "Metalayer blocking snapshot ")
}

// aboutIndex reports whether a warning is about the index of a stream, which the server writes when it is stopped, and
// rebuilds from the files after a kill. If the files lack something, this package reports it.
func aboutIndex(format string) bool {
	return strings.HasPrefix(format, "Filestore [") &&
		(strings.Contains(format, "] Stream state ") ||
			strings.Contains(format, "] Recovering stream state from index errored"))
}

// The server's notices are debug messages of this program.
func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug("nats_server", "text", fmt.Sprintf(format, v...))
}

func (l *serverLog) Debugf(string, ...any) {}
func (l *serverLog) Tracef(string, ...any) {}
