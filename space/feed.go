package space

import (
	"slices"
	"sync"

	"github.com/gospaces/gospaces/internal/partition"
)

// feedSize is how many events a feed holds. The partition keeps many more, for whoever cannot follow.
const feedSize = 1024

// feed takes in the events of one registration. Once it is full it ignores what follows, so that it always holds an
// unbroken run; a new feed is then attached to the registration, after the last event that this one held.
// It implements partition.Caller.
type feed struct {
	*caller               // for the call that registers or attaches
	wake    chan struct{} // one slot, filled when there may be something new to take

	mu      sync.Mutex
	queue   []fed         // guarded by mu
	durable partition.LSN // guarded by mu
	ignored uint64        // number of the last event that found no room, 0 if all did; guarded by mu
	ended   bool          // no more events will come; guarded by mu
	lost    error         // why the log failed; guarded by mu
}

// fed is an event that may be shown once lsn is durable.
type fed struct {
	seq   uint64
	found found
	row   []byte
	lsn   partition.LSN // 0: at once
}

var _ partition.Caller = (*feed)(nil)

func newFeed() *feed { return &feed{caller: newCaller(), wake: make(chan struct{}, 1)} }

// Event implements partition.Caller.
func (f *feed) Event(e *partition.Event, lsn partition.LSN, durable bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ignored > 0 || len(f.queue) == feedSize {
		f.ignored = e.Seq
		return
	}
	if durable {
		lsn = 0
	}
	f.queue = append(f.queue, fed{
		seq:   e.Seq,
		found: found{id: e.Entry.ID, kind: e.Entry.Kind},
		row:   slices.Clone(e.Entry.Row),
		lsn:   lsn,
	})
	f.signal()
}

// Durable implements partition.Caller.
func (f *feed) Durable(lsn partition.LSN) {
	f.caller.Durable(lsn)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.durable = max(f.durable, lsn)
	f.signal()
}

// Lost implements partition.Caller.
func (f *feed) Lost(err error) {
	f.caller.Lost(err)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost = err
	f.signal()
}

// Ended tells that the registration has ended; no more events come.
func (f *feed) Ended() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	f.signal()
}

// end makes a full feed one whose registration has ended, and returns the number of the last event that it ignored.
func (f *feed) end() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := f.ignored
	f.ignored, f.ended = 0, true
	return last
}

// empty reports whether the feed holds no event.
func (f *feed) empty() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.queue) == 0
}

// signal wakes whoever waits for the feed.
func (f *feed) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// feedState says what a feed without an event to take is waiting for.
type feedState int

const (
	feedIdle  feedState = iota // the next event
	feedFull                   // nothing: another feed must take over
	feedEnded                  // nothing: there are no more events
)

// take removes the events that may be shown and returns them, oldest first. If there are none it tells why; the error is that of
// a log that failed.
func (f *feed) take() ([]fed, feedState, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for n < len(f.queue) && f.queue[n].lsn <= f.durable {
		n++
	}
	taken := f.queue[:n:n]
	f.queue = f.queue[n:]
	switch {
	case n > 0:
		return taken, feedIdle, nil
	case f.lost != nil:
		return nil, feedEnded, f.lost
	case len(f.queue) > 0:
		return nil, feedIdle, nil
	case f.ignored > 0:
		return nil, feedFull, nil
	case f.ended:
		return nil, feedEnded, nil
	}
	return nil, feedIdle, nil
}
