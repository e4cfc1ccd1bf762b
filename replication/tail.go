package replication

import (
	"bytes"
	"context"
	"sync"
	"time"
)

// tail receives a log as it grows: with Config.Followers the server publishes each message again once it is stored. It
// needs no consumer on the server and asks it for nothing, so a tail goes on whichever server of a cluster leads the
// log. Each message comes at most once; a reader that misses one fetches it.
type tail struct {
	conn  *conn
	ended chan struct{} // closed when the connection has ended
	news  chan struct{} // capacity 1; holds an element if something has come

	mu    sync.Mutex
	queue []message // guarded by mu; what the reader has not taken, or the beginning of that
	bytes int       // guarded by mu; of queue
	last  uint64    // guarded by mu; the highest position that was told
	err   error     // guarded by mu; why the connection has ended
}

const (
	// tailBytes bounds what is kept for a reader that is slower than the log. It fetches the rest.
	tailBytes = 1 << 20

	// lookPause is how often the reader of a tail looks into the log: it may have missed the last message.
	lookPause = time.Second

	// lagPause is how long such a reader waits for a published message that cannot be fetched yet.
	lagPause = 5 * time.Millisecond
)

// newTail returns a tail that owns c, whose inbox is the subject under which messages are published again.
func newTail(c *conn) *tail {
	t := &tail{conn: c, ended: make(chan struct{}), news: make(chan struct{}, 1)}
	go t.run()
	return t
}

// close ends the tail, and returns when its goroutine has.
func (t *tail) close() {
	t.conn.close()
	<-t.ended
}

// run receives until the connection ends.
func (t *tail) run() {
	defer close(t.ended)
	for {
		m, err := t.receive()
		t.put(m, err)
		if err != nil {
			return
		}
	}
}

func (t *tail) receive() (m message, err error) {
	header, data, err := t.conn.answer()
	if err != nil {
		return m, err
	}
	m.data = data
	m.pos, m.time, err = origin(header)
	return m, err
}

// put keeps a copy of a message for the reader if there is room, or the error that ends the tail.
func (t *tail) put(m message, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
	if full := len(t.queue) > 0 && t.bytes+len(m.data) > tailBytes; err == nil && !full {
		m.data = bytes.Clone(m.data)
		t.queue, t.bytes = append(t.queue, m), t.bytes+len(m.data)
	}
	t.last = max(t.last, m.pos)
	select {
	case t.news <- struct{}{}:
	default:
	}
}

// take returns the messages that have come, and the highest position that was published.
func (t *tail) take() (queue []message, last uint64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	queue, t.queue, t.bytes = t.queue, nil, 0
	return queue, t.last, t.err
}

// await waits until something has come; false if nothing does for a while. It returns the cause of ctx's end.
func (t *tail) await(ctx context.Context, pause time.Duration) (come bool, err error) {
	over := time.NewTimer(pause)
	defer over.Stop()
	select {
	case <-t.news:
		return true, nil
	case <-over.C:
		return false, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}
