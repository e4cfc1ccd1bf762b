package writeback_test

import (
	"context"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/record"
)

// memLog is a log in memory, for tests and benchmarks in which the log itself is not the matter.
type memLog struct {
	incarnation string

	mu      sync.Mutex
	groups  []record.Group // guarded by mu; only ever grows
	changed chan struct{}  // closed and replaced when groups grows
}

func newMemLog() *memLog { return &memLog{incarnation: "A", changed: make(chan struct{})} }

// Append stores records as one group.
func (l *memLog) Append(records []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.groups = append(l.groups, record.Group{Position: uint64(len(l.groups) + 1), Time: time.Now().UnixNano(), Records: records})
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *memLog) Incarnation() string { return l.incarnation }

func (l *memLog) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.groups))
}

func (l *memLog) Tail(ctx context.Context, after uint64, fn func(record.Group) error) error {
	for {
		l.mu.Lock()
		groups, changed := l.groups[after:], l.changed
		l.mu.Unlock()
		for _, g := range groups {
			if err := fn(g); err != nil {
				return err
			}
			after = g.Position
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
