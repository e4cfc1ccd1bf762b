package local

import (
	"slices"
	"sync"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/space"
)

// feedSize is how many events a feed holds. The partition keeps many more, for listeners that cannot follow.
const feedSize = 1024

// feed takes in the events of one registration. Once it is full, or the log has failed, it is stale: it ignores what
// follows, so that it always holds an unbroken run, and another feed is attached to the registration after the last
// event of this one. It implements partition.Caller.
type feed struct {
	*caller               // for the call that registers or attaches
	wake    chan struct{} // one slot, filled when there may be something new to take

	mu      sync.Mutex
	queue   []fed        // guarded by mu
	ready   int          // guarded by mu; the first of queue, which may be shown
	pending call.Pending // guarded by mu; the others
	stale   bool         // guarded by mu
}

// fed is what a feed holds.
type fed struct {
	typ   space.EventType // Gap: the events up to seq are lost; theEnd: no more will come
	cause space.GapCause  // of a gap
	seq   uint64
	found found
	row   []byte
}

const theEnd space.EventType = 0

var _ interface {
	partition.Caller
	partition.Ender
} = (*feed)(nil)

func newFeed() *feed { return &feed{caller: newCaller(), wake: make(chan struct{}, 1)} }

// Event implements partition.Caller.
func (f *feed) Event(e *partition.Event, lsn partition.LSN, durable bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stale = f.stale || len(f.queue) == feedSize; f.stale {
		f.signal()
		return false
	}
	f.addLocked(fed{
		typ:   space.EventType(e.Type),
		cause: space.GapCause(e.Cause),
		seq:   e.Seq,
		found: found{id: e.Entry.ID, kind: e.Entry.Kind, version: e.Entry.Version, attempts: e.Entry.Attempts},
		row:   slices.Clone(e.Entry.Row),
	}, lsn, durable)
	return true
}

// Ended implements partition.Ender.
func (f *feed) Ended(_ uint64, lsn partition.LSN, durable bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addLocked(fed{typ: theEnd}, lsn, durable)
}

func (f *feed) addLocked(e fed, lsn partition.LSN, durable bool) {
	f.queue = append(f.queue, e)
	switch {
	case !durable:
		f.pending.Add(1, lsn)
	case f.pending.Empty():
		f.ready++
	default:
		f.pending.Add(1, 0) // with those before it
	}
	f.signal()
}

// Durable implements partition.Caller.
func (f *feed) Durable(lsn partition.LSN) {
	f.caller.Durable(lsn)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ready += f.pending.Durable(lsn)
	f.signal()
}

// Lost implements partition.Caller. Events that were not durable yet may never have been.
func (f *feed) Lost(err error) {
	f.caller.Lost(err)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stale = true
	f.queue = f.queue[:f.ready]
	f.pending.Drop()
	f.signal()
}

// signal wakes the listener that waits for the feed.
func (f *feed) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// take removes the events that may be shown and returns them, oldest first. If the feed is stale and has none left,
// another must take over.
func (f *feed) take() (taken []fed, stale bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.ready
	taken, f.queue, f.ready = f.queue[:n:n], f.queue[n:], 0
	return taken, f.stale && n == 0 && len(f.queue) == 0
}
