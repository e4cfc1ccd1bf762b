package replication

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// serverLog forwards the embedded server's log, and records the first fatal message, which the server does not return.
type serverLog struct {
	log *slog.Logger

	mu    sync.Mutex
	first error // guarded by mu
}

// fatal returns the first fatal message, or nil.
func (l *serverLog) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}

func (l *serverLog) Fatalf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.mu.Lock()
	if l.first == nil {
		l.first = errors.New(text)
	}
	l.mu.Unlock()
	l.log.Error("nats_server", "text", text)
}

func (l *serverLog) Errorf(format string, v ...any) {
	level := slog.LevelError
	if unreached[format] {
		level = slog.LevelInfo
	}
	l.log.Log(context.Background(), level, "nats_server", "text", fmt.Sprintf(format, v...))
}

// unreached are errors about nodes that are not there yet, or not any more: other messages say what matters of that.
var unreached = map[string]bool{
	"Error trying to connect to route (attempt %v): %v": true,
}

func (l *serverLog) Warnf(format string, v ...any) {
	text, level := fmt.Sprintf(format, v...), slog.LevelWarn
	if chosen[format] || aboutIndex(format) || usual(text) {
		level = slog.LevelDebug
	}
	l.log.Log(context.Background(), level, "nats_server", "text", text)
}

// chosen are warnings about intended settings: the password is random and never leaves the process, and a large message
// is as large as the write call that it makes durable.
var chosen = map[string]bool{
	"Plaintext passwords detected, use nkeys or bcrypt":                                     true,
	"Maximum payloads over %v are generally discouraged and could lead to poor performance": true,
}

// usual reports whether a warning is about what happens in each cluster: the server knows no leader before there is
// one, and writes down what logs there are from time to time.
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

// Notices of the server are details to this program.
func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug("nats_server", "text", fmt.Sprintf(format, v...))
}

func (l *serverLog) Debugf(string, ...any) {}
func (l *serverLog) Tracef(string, ...any) {}
