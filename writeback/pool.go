package writeback

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/lib/pq"
)

// DefaultConns is how many connections a Pool has that is not told.
const DefaultConns = 8

// MaxConns is the most connections that a Pool may have.
const MaxConns = 1000

// Pool is the connections to one database, which the mirrors of many spaces share. A mirror has one while it writes a
// batch, and others for the lanes of the batch if they are free. Its methods may be called concurrently.
//
// Connections are given out in the order in which they are asked for. No caller that has one waits for another, so
// there is no deadlock among those who have several.
type Pool struct {
	dsn  string
	size int

	mu      sync.Mutex
	free    []*conn      // open and not in use, the one used last at the end; guarded by mu
	open    int          // connections that are free or in use; guarded by mu
	limit   int          // size, or less while the server admits no more; guarded by mu
	full    time.Time    // when limit is size again; guarded by mu
	waiting []chan *conn // each of capacity 1; gets a connection, or nil for the right to open one; guarded by mu
	watcher *conn        // looks at what blocks others, beside size; nil while it is not needed; guarded by watching
	closing *time.Timer  // closes what is not used any more; guarded by mu
	closed  bool         // guarded by mu

	watching sync.Mutex // held while the watcher is used

	pulse pulse // of the database
}

const (
	// connIdle is how long a connection stays open that is not used.
	connIdle = 3 * time.Second

	// connRetry is how long a pool makes do with the connections that it has when the server admits no more.
	connRetry = time.Minute
)

// NewPool returns a pool of at most size connections to a database; 0 is DefaultConns. It opens them when they are
// needed. It returns an error if the connection string or the size is wrong.
func NewPool(dsn string, size int) (*Pool, error) {
	if _, err := pq.NewConnector(dsn); err != nil || dsn == "" {
		return nil, badDSN(cmp.Or(err, errors.New("empty")))
	}
	if size < 0 || size > MaxConns {
		return nil, fmt.Errorf("writeback: a pool has from 1 to %d connections", MaxConns)
	}
	size = cmp.Or(size, DefaultConns)
	return &Pool{dsn: dsn, size: size, limit: size}, nil
}

// Close closes the connections that are free, and those in use when they are given back. The Writers that use the pool
// should have stopped.
func (p *Pool) Close() {
	p.mu.Lock()
	free, timer := p.free, p.closing
	p.free, p.closed = nil, true
	p.open -= len(free)
	p.mu.Unlock()
	if timer != nil {
		timer.Stop()
	}
	for _, c := range free {
		c.close()
	}
	p.watching.Lock()
	defer p.watching.Unlock()
	if p.watcher != nil {
		p.watcher.close()
		p.watcher = nil
	}
}

// get returns a connection, which is cut when ctx ends, whatever it waits for. It blocks until one is free or may be
// opened, in the order of the calls, or ctx ends; waits is called before it does.
func (p *Pool) get(ctx context.Context, waits func()) (*conn, error) {
	for {
		c, wait := p.request(true)
		if wait != nil {
			waits()
			select {
			case c = <-wait:
			case <-ctx.Done():
				p.withdraw(wait)
				return nil, context.Cause(ctx)
			}
		}
		got, err := p.use(ctx, c)
		if !tooMany(err) || !p.shrink() {
			return got, err
		}
	}
}

// try returns a connection as get does, or nil if that would block or fail.
func (p *Pool) try(ctx context.Context) *conn {
	c, wait := p.request(false)
	if wait != nil {
		return nil
	}
	got, err := p.use(ctx, c)
	if tooMany(err) {
		p.shrink()
	}
	return got
}

// request returns a connection that is free; or nil and nil if the caller may open one; or, if there is neither, a
// channel that one of both comes from, which is only of use if queue is set.
func (p *Pool) request(queue bool) (*conn, chan *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.full.IsZero() && time.Now().After(p.full) {
		p.limit, p.full = p.size, time.Time{}
	}
	if n := len(p.free); n > 0 { // then no call waits
		c := p.free[n-1]
		p.free = p.free[:n-1]
		return c, nil
	}
	if p.open < p.limit && len(p.waiting) == 0 {
		p.open++
		return nil, nil
	}
	wait := make(chan *conn, 1)
	if queue {
		p.waiting = append(p.waiting, wait)
	}
	return nil, wait
}

// withdraw gives up a place in the queue, or hands on what has come meanwhile.
func (p *Pool) withdraw(wait chan *conn) {
	p.mu.Lock()
	if i := slices.Index(p.waiting, wait); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	if c := <-wait; c != nil {
		p.put(c, nil)
	} else {
		p.gone()
	}
}

// use makes c, or a new connection if that is nil, one that ctx cuts.
func (p *Pool) use(ctx context.Context, c *conn) (*conn, error) {
	if c == nil {
		var err error
		if c, err = dial(ctx, p.dsn, "gospaces writeback", &p.pulse); err != nil {
			p.gone()
			return nil, err
		}
	}
	c.forget = context.AfterFunc(ctx, c.line.cut)
	return c, nil
}

// put gives back a connection, which is closed if err is not nil: then its state is not known.
func (p *Pool) put(c *conn, err error) {
	if c.forget != nil && !c.forget() || err != nil {
		c.close()
		p.gone()
		return
	}
	c.forget, c.used = nil, time.Now()
	p.mu.Lock()
	if p.closed || p.open > p.limit {
		p.mu.Unlock()
		c.close()
		p.gone()
		return
	}
	defer p.mu.Unlock()
	if len(p.waiting) > 0 {
		p.waiting[0] <- c
		p.waiting = slices.Delete(p.waiting, 0, 1)
		return
	}
	p.free = append(p.free, c)
	if p.closing == nil {
		p.closing = time.AfterFunc(connIdle, p.closeIdle)
	}
}

// gone tells that a connection is not open any more, so that another may be opened.
func (p *Pool) gone() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
	if len(p.waiting) > 0 && p.open < p.limit {
		p.open++
		p.waiting[0] <- nil
		p.waiting = slices.Delete(p.waiting, 0, 1)
	}
}

// shrink makes the pool do with the connections that it has for a while, because the server admits no more. It reports
// false if it has none.
func (p *Pool) shrink() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == 0 {
		return false
	}
	p.limit, p.full = p.open, time.Now().Add(connRetry)
	return true
}

// closeIdle closes the connections that have not been used for a while.
func (p *Pool) closeIdle() {
	now := time.Now()
	watching := p.closeWatcher(now)
	p.mu.Lock()
	var idle []*conn
	for len(p.free) > 0 && now.Sub(p.free[0].used) >= connIdle {
		idle = append(idle, p.free[0])
		p.free = p.free[1:]
	}
	p.open -= len(idle)
	p.closing = nil
	if (len(p.free) > 0 || watching) && !p.closed {
		p.closing = time.AfterFunc(connIdle, p.closeIdle)
	}
	p.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}

// closeWatcher closes the watcher's connection if it has not been used for a while, and reports whether it is still
// open.
func (p *Pool) closeWatcher(now time.Time) (open bool) {
	if !p.watching.TryLock() {
		return true // it is in use
	}
	defer p.watching.Unlock()
	if p.watcher != nil && now.Sub(p.watcher.used) >= connIdle {
		p.watcher.close()
		p.watcher = nil
	}
	return p.watcher != nil
}

// conn is one connection to a database. Its calls are not bound to a context: line cuts it, without a goroutine for
// each.
type conn struct {
	*sql.Conn
	db     *sql.DB // which has no other
	line   *line
	pid    int         // of the server's process
	used   time.Time   // last
	forget func() bool // ends the cutting
}

// dial opens a connection that is set up for the mirror. name is what it calls itself unless the connection string
// says.
func dial(ctx context.Context, dsn, name string, pulse *pulse) (*conn, error) {
	cfg, err := pq.NewConfig(dsn)
	if err != nil {
		return nil, badDSN(err)
	}
	cfg.ApplicationName = cmp.Or(cfg.ApplicationName, name)
	connector, err := pq.NewConnectorConfig(cfg)
	if err != nil {
		return nil, badDSN(err)
	}
	c := &conn{line: &line{ctx: ctx, pulse: pulse}}
	connector.Dialer(c.line)
	c.db = sql.OpenDB(connector)
	stop := context.AfterFunc(ctx, c.line.cut)
	defer stop()
	if c.Conn, err = c.db.Conn(ctx); err != nil {
		c.close()
		return nil, fmt.Errorf("connect: %w", err)
	}
	if err := c.setUp(); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// setUp sets up the session, and refuses a database that cannot hold every text.
func (c *conn) setUp() error {
	var encoding string
	err := c.QueryRowContext(context.Background(), `SELECT current_setting('server_encoding'), pg_backend_pid()`).Scan(&encoding, &c.pid)
	if err != nil {
		return fmt.Errorf("read the encoding: %w", err)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("writeback: the database has the encoding %s; make one with ENCODING 'UTF8'", encoding)
	}
	// A time limit that suits queries of people would fail the same batch again and again.
	// A transaction that has waited for the position must see what was committed meanwhile.
	_, err = c.ExecContext(context.Background(), `SET statement_timeout TO 0; SET idle_in_transaction_session_timeout TO 0;
		SET default_transaction_isolation TO 'read committed'; SET lock_timeout TO '`+rowLockTimeout+`'`)
	if err != nil {
		return fmt.Errorf("set up the connection: %w", err)
	}
	// A server on a system that cannot tell goes on with a statement for a while after the mirror was stopped, and no
	// more.
	_, err = c.ExecContext(context.Background(), `SET client_connection_check_interval TO '1s'`)
	if _, refused := errors.AsType[*pq.Error](err); err != nil && !refused {
		return fmt.Errorf("set up the connection: %w", err)
	}
	return nil
}

// close ends the connection. Its error would tell nothing: what was not committed is not there.
func (c *conn) close() {
	if c.Conn != nil {
		_ = c.Conn.Close()
	}
	_ = c.db.Close()
}

// line is what a connection goes over. It dials, while its first user's ctx lasts.
type line struct {
	ctx   context.Context
	pulse *pulse

	mu  sync.Mutex
	net net.Conn // guarded by mu
}

// cut closes the line, so that whatever waits for it ends: a server that does not answer does not listen to a request
// to cancel either.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.net != nil {
		_ = l.net.Close()
	}
}

func (l *line) Dial(network, address string) (net.Conn, error) {
	return l.DialContext(l.ctx, network, address)
}

func (l *line) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(l.ctx, timeout)
	defer cancel()
	return l.DialContext(ctx, network, address)
}

func (l *line) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	q := l.pulse.open()
	q.since.Store(sinceEpoch())
	plain, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		l.pulse.close(q)
		return nil, err
	}
	conn := &heardConn{plain, l.pulse, q}
	l.mu.Lock()
	l.net = conn
	l.mu.Unlock()
	if ctx.Err() != nil {
		l.cut()
	}
	return conn, nil
}
