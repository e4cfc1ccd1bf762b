package history

import (
	"sync"
	"time"
)

// Recorder collects the calls of concurrent clients. Create it with New.
type Recorder struct {
	start time.Time

	mu   sync.Mutex
	logs []*Log // guarded by mu
}

// New returns a recorder whose clock starts now.
func New() *Recorder { return &Recorder{start: time.Now()} }

// Log is the record of one client. It belongs to one goroutine.
type Log struct {
	client int
	start  time.Time
	ops    []Op
}

// Client returns the log of another client.
func (r *Recorder) Client() *Log {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := &Log{client: len(r.logs) + 1, start: r.start}
	r.logs = append(r.logs, l)
	return l
}

// History returns all calls recorded so far. Call it once every client is done.
func (r *Recorder) History() []Op {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ops []Op
	for _, l := range r.logs {
		ops = append(ops, l.ops...)
	}
	return ops
}

// Do runs call and records op with its times. call sets the outcome and the results of op.
func (l *Log) Do(op Op, call func(*Op)) {
	op.Client = l.client
	op.Call = time.Since(l.start)
	call(&op)
	op.Return = time.Since(l.start)
	l.ops = append(l.ops, op)
}
