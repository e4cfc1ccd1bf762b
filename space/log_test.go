package space_test

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/gospaces/gospaces/internal/record"
)

var errDisk = errors.New("the disk is full")

// memoryLog is a partition.Log in memory, of which a test may stop the appends, or make one fail after it was stored or
// before.
type memoryLog struct {
	gate chan struct{} // an append needs a token from it, unless it is nil

	mu       sync.Mutex
	messages [][]byte // guarded by mu
	fail     bool     // the next append fails; guarded by mu
	store    bool     // but stores its message; guarded by mu
}

func (l *memoryLog) failNext(store bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail, l.store = true, store
}

func (l *memoryLog) Append(msg []byte) error {
	if l.gate != nil {
		<-l.gate
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	fail := l.fail
	l.fail = false
	if !fail || l.store {
		l.messages = append(l.messages, slices.Clone(msg))
	}
	if fail {
		return errDisk
	}
	return nil
}

func (*memoryLog) Load(context.Context, func([]byte) error, func(done, total uint64)) (uint64, record.Clock, error) {
	return 0, record.Clock{}, nil
}

func (l *memoryLog) CatchUp(
	ctx context.Context, after uint64, apply func(record.Group) error, _ func(done, total uint64),
) (uint64, error) {
	end := l.Last()
	return end, l.Read(ctx, after+1, end, apply)
}

func (l *memoryLog) Claim(_ context.Context, follows uint64, _ record.Clock) (record.Group, error) {
	return record.Group{Position: follows}, nil
}

func (l *memoryLog) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.messages))
}

func (l *memoryLog) Read(_ context.Context, from, to uint64, fn func(record.Group) error) error {
	l.mu.Lock()
	messages := l.messages
	l.mu.Unlock()
	for i, msg := range messages[from-1 : to] {
		if err := fn(record.Group{
			Position: from + uint64(i), Clock: record.ClockOf(msg),
			Records: msg[record.HeaderSize:],
		}); err != nil {
			return err
		}
	}
	return nil
}

func (*memoryLog) Follow(context.Context, uint64, func(record.Group) error) error {
	panic("this log has no followers")
}

func (*memoryLog) Resign(string, record.Clock) error { panic("this log has no heirs") }
func (*memoryLog) Distrust() error                   { panic("this log has no images") }
