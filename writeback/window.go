package writeback

import (
	"context"
	"sync"
	"time"

	"github.com/gospaces/gospaces/internal/record"
)

// window connects the goroutine that reads the log and the one that writes to the database: while one batch is written,
// the next is filled. What gathers meanwhile is the next transaction, so a busy log makes large transactions.
type window struct {
	maxBytes, maxRecords int
	upto                 uint64 // the first batch is complete only at this position

	begun chan struct{} // capacity 1: the batch has a group, and reaches upto
	full  chan struct{} // capacity 1: the batch has reached a limit
	room  chan struct{} // capacity 1: a new batch is being filled
	ended chan struct{} // closed by end

	mu      sync.Mutex
	filling *batch // guarded by mu
	writing *batch // returned by take; read only until done, then guarded by mu again
	spare   *batch // guarded by mu
	err     error  // why no more groups come; guarded by mu
}

// newWindow returns a window for the groups that db lacks.
func newWindow(cfg Config, db *database) *window {
	modes := db.kindModes()
	w := &window{
		maxBytes: cfg.BatchBytes * cfg.Lanes, maxRecords: cfg.BatchRecords * cfg.Lanes, upto: db.ahead,
		begun: make(chan struct{}, 1), full: make(chan struct{}, 1), room: make(chan struct{}, 1), ended: make(chan struct{}),
		filling: newBatch(modes), spare: newBatch(modes),
	}
	if cfg.Lanes > 1 {
		w.filling.ties, w.spare.ties = newTies(), newTies()
	}
	w.filling.reset(&batch{to: db.position, highest: db.highest})
	return w
}

// add adds g. While the batch is full it blocks, until there is a new batch or ctx ends. After an error g is not in the
// batch.
func (w *window) add(ctx context.Context, g record.Group) error {
	for {
		added, err := w.tryAdd(g)
		if added || err != nil {
			return err
		}
		select {
		case <-w.room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (w *window) tryAdd(g record.Group) (added bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fullLocked() {
		return false, nil
	}
	begun := w.begunLocked()
	if err := w.filling.add(g); err != nil {
		return false, err
	}
	if !begun && w.begunLocked() {
		signal(w.begun)
	}
	if w.fullLocked() {
		signal(w.full)
	}
	return true, nil
}

func (w *window) fullLocked() bool {
	return w.begunLocked() && (w.filling.bytes >= w.maxBytes || w.filling.records >= w.maxRecords)
}

// begunLocked reports whether the batch may be written once it has gathered for long enough.
func (w *window) begunLocked() bool {
	return !w.filling.empty() && w.filling.to >= w.upto
}

// end records that no more groups come, because of err.
func (w *window) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
	close(w.ended)
}

// take waits for the first group, then until the batch has gathered for long enough, is full or is wanted; it returns
// the batch, until done. It returns nil if nothing came for the time idle. After the last batch it returns the error of
// end, and ctx's cause when ctx ends.
func (w *window) take(ctx context.Context, gather, idle time.Duration, flush wanted) (*batch, error) {
	timer := time.NewTimer(idle)
	defer timer.Stop()
	select {
	case <-w.begun:
	case <-w.ended:
	case <-timer.C:
		return nil, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	from, age := w.began()
	if flush.position.Load() > from {
		return w.swap()
	}
	timer.Reset(gather - age)
	select {
	case <-w.full:
	case <-timer.C:
	case <-flush.raised: // rarely in vain, by a Flush that is already satisfied
	case <-w.ended:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return w.swap()
}

// began returns the position before the batch and how long it has been gathering.
func (w *window) began() (from uint64, age time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.filling.from, time.Since(w.filling.begun)
}

// swap starts a new batch and returns the previous one; nil if there is none, and then the error of end.
func (w *window) swap() (*batch, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.begunLocked() {
		return nil, w.err
	}
	w.writing, w.filling = w.filling, w.spare
	w.spare = nil
	w.filling.reset(w.writing)
	drain(w.full)
	signal(w.room)
	return w.writing, nil
}

// done returns the batch of take; its content is in the database.
func (w *window) done() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writing, w.spare = nil, w.writing
}

// content returns the amount in memory and the Time of its oldest group, or 0.
func (w *window) content() (records, bytes int, oldest int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range []*batch{w.filling, w.writing} {
		if b != nil && !b.empty() {
			records, bytes, oldest = records+b.records, bytes+b.bytes, b.since
		}
	}
	return records, bytes, oldest
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func drain(c chan struct{}) {
	select {
	case <-c:
	default:
	}
}
