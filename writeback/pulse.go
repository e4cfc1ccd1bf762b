package writeback

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// silentLimit is the time without answers after which a stop does not wait for the database.
const silentLimit = 2 * time.Second

// pulse reports whether a database answers at all, on any connection, including the watcher's, which sends a query
// every second during a transaction. A long statement is therefore not mistaken for a dead server. The zero pulse has
// no connections.
type pulse struct {
	heard atomic.Int64 // time of the last answer, in nanoseconds since epoch

	mu    sync.Mutex
	asked map[*question]struct{} // of open connections; guarded by mu
}

// question is the time since which a connection, or an attempt to open one, has waited for an answer; 0: it does not
// wait.
type question struct{ since atomic.Int64 }

// epoch is the origin of pulse times, which are monotonic.
var epoch = time.Now()

func sinceEpoch() int64 { return max(1, int64(time.Since(epoch))) }

func (p *pulse) open() *question {
	q := new(question)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked == nil {
		p.asked = make(map[*question]struct{})
	}
	p.asked[q] = struct{}{}
	return q
}

func (p *pulse) close(q *question) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.asked, q)
}

// silence returns the time since the last answer while a question is open.
func (p *pulse) silence() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := int64(0)
	for q := range p.asked {
		if at := q.since.Load(); at > 0 && (first == 0 || at < first) {
			first = at
		}
	}
	if first == 0 {
		return 0
	}
	return max(0, time.Duration(sinceEpoch()-max(first, p.heard.Load())))
}

// heardConn reports its questions and answers to a pulse.
type heardConn struct {
	net.Conn
	pulse    *pulse
	question *question
}

func (c *heardConn) Write(b []byte) (int, error) {
	c.question.since.CompareAndSwap(0, sinceEpoch())
	return c.Conn.Write(b)
}

func (c *heardConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.pulse.heard.Store(sinceEpoch())
		c.question.since.Store(0)
	}
	return n, err
}

func (c *heardConn) Close() error {
	c.pulse.close(c.question)
	return c.Conn.Close()
}
