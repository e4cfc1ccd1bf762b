package writeback_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
)

// memLog is a log in memory, for tests and benchmarks that are not about the log itself.
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
	l.appendLocked(record.Group{Position: uint64(len(l.groups) + 1), Time: time.Now().UnixNano(), Records: records})
}

// appendGroup stores a group of another log that continues this one.
func (l *memLog) appendGroup(g record.Group) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.appendLocked(g)
}

func (l *memLog) appendLocked(g record.Group) {
	l.groups = append(l.groups, g)
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *memLog) Incarnation() string { return l.incarnation }

func (l *memLog) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.groups))
}

func (l *memLog) Follow(ctx context.Context, after uint64, fn func(record.Group) error) error {
	if after > l.Last() {
		return errors.New("no such position")
	}
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

// shortLog is a log that loses its beginning and has images.
type shortLog struct {
	*memLog

	mu     sync.Mutex
	first  uint64 // guarded by mu
	image  uint64 // the position of images; 0: the last; guarded by mu
	broken bool   // there are no images; guarded by mu
}

// purge makes the log begin at first, and its images show a position.
func (l *shortLog) purge(first, image uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.first, l.image = first, image
}

func (l *shortLog) breakImages(broken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = broken
}

func (l *shortLog) First() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(l.first, 1)
}

func (l *shortLog) Follow(ctx context.Context, after uint64, fn func(record.Group) error) error {
	if after+1 < l.First() {
		return errors.New("the log begins behind that")
	}
	return l.memLog.Follow(ctx, after, fn)
}

func (l *shortLog) Image(_ context.Context, fn func(record.Group) error) error {
	l.mu.Lock()
	position, broken := l.image, l.broken
	l.mu.Unlock()
	if broken {
		return errors.New("broken image")
	}
	if position == 0 {
		position = l.Last()
	}
	l.memLog.mu.Lock()
	groups := l.groups[:position]
	l.memLog.mu.Unlock()
	m := newModel()
	for _, g := range groups {
		if err := m.apply(g.Records); err != nil {
			return err
		}
	}
	return m.image(position, fn)
}

// image calls fn with groups of some records each that rebuild the state of m.
func (m *model) image(position uint64, fn func(record.Group) error) error {
	records := record.AppendCounters(nil, []byte("numbers"))
	for _, kind := range slices.Sorted(maps.Keys(m.kinds)) {
		records = record.AppendKind(records, kind, template.AppendSchema(nil, m.kinds[kind]))
		if m.dropped[kind] {
			records = record.AppendDrop(records, kind)
		}
	}
	n := 0
	for id, e := range m.entries {
		records = record.AppendEntry(records, id, e.kind, e.expires, e.visible, id, 1, e.attempts, e.row)
		if e.state == "held" {
			records = record.AppendHold(records, &record.Held{Txn: 1, Entry: id, Kind: e.kind, Until: forever, Holder: e.holder})
		}
		if n++; n%50 == 0 {
			if err := fn(record.Group{Position: position, Records: records}); err != nil {
				return err
			}
			clear(records) // they were valid only during the call
			records = records[:0]
		}
	}
	return fn(record.Group{Position: position, Records: slices.Clip(record.AppendEnded(records, uint64(n)))})
}
