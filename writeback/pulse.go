package writeback

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// silentLimit is how long a database may leave questions unanswered until a stop does not wait for it any more.
const silentLimit = 2 * time.Second

// pulse tells whether a database answers at all: on any connection, the watcher's included, which asks every second
// while a transaction lasts. So a statement that takes long is not taken for a server that is gone. The zero pulse is
// one without connections.
type pulse struct {
	heard atomic.Int64 // when something last came, in nanoseconds since epoch

	mu    sync.Mutex
	asked map[*question]struct{} // of open connections; guarded by mu
}

// question is since when a connection, or the attempt to make one, has had no answer; 0: it has not asked anything
// since.
type question struct{ since atomic.Int64 }

// epoch is what pulses count from: the clock of the machine may be set.
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

// silence returns for how long nothing has come though something was asked.
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

// heardConn is a connection that tells a pulse what it asks and hears.
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
