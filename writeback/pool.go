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

// DefaultConns is the default size of a Pool.
const DefaultConns = 8

// MaxConns is the maximum size of a Pool.
const MaxConns = 1000

// Pool is a set of connections to one database, shared by the mirrors of many spaces. A mirror uses one while it writes
// a batch, and others for the lanes of the batch if they are free. Its methods may be called concurrently.
//
// Connections are given out first come, first served. A caller with a connection never waits for another, so callers
// that need several cannot deadlock.
type Pool struct {
	dsn  string
	size int

	mu      sync.Mutex
	free    []*conn      // open and unused, most recently used last; guarded by mu
	open    int          // connections that are free or in use; guarded by mu
	limit   int          // size, or less while the server admits no more; guarded by mu
	full    time.Time    // when limit becomes size again; guarded by mu
	waiting []chan *conn // each of capacity 1; receives a connection, or nil for the right to open one; guarded by mu
	// looks for sessions that block others, in addition to size; nil while not needed; guarded by watching
	watcher *conn
	closing *time.Timer // closes unused connections; guarded by mu
	closed  bool        // guarded by mu

	watching sync.Mutex // held while the watcher is used

	pulse pulse // of the database
}

const (
	// connIdle is the time for which an unused connection stays open.
	connIdle = 3 * time.Second

	// connRetry is the time for which a pool keeps to its open connections after the server refused more.
	connRetry = time.Minute
)

// NewPool returns a pool of at most size connections to a database; 0 means DefaultConns. Connections are opened when
// needed. NewPool returns an error if the connection string or the size is invalid.
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

// Resize changes the maximum number of connections, which is at least 1 and at most MaxConns. Connections in use beyond
// it are closed when they are returned.
func (p *Pool) Resize(size int) {
	size = min(max(size, 1), MaxConns)
	p.mu.Lock()
	p.size = size
	if p.full.IsZero() || p.limit > size {
		p.limit = size
	}
	var excess []*conn
	for len(p.free) > 0 && p.open > p.limit {
		excess = append(excess, p.free[0])
		p.free = p.free[1:]
		p.open--
	}
	for len(p.waiting) > 0 && p.open < p.limit {
		p.open++
		p.waiting[0] <- nil
		p.waiting = slices.Delete(p.waiting, 0, 1)
	}
	p.mu.Unlock()
	for _, c := range excess {
		c.close()
	}
}

// Close closes the free connections, and those in use when they are returned. Writers that use the pool should have
// stopped.
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

// get returns a connection, which is cut when ctx ends, whatever it waits for. It blocks until a connection is free or
// may be opened, first come, first served, or ctx ends; it calls waits before it blocks.
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

// try is get, but returns nil if get would block or fail.
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

// request returns a free connection; or nil and nil if the caller may open one; otherwise a channel from which one or
// the other comes, if queue is set.
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

// withdraw leaves the queue, and passes on what it may have received meanwhile.
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

// use binds c, or a new connection if c is nil, to ctx, which cuts it.
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

// put returns a connection to the pool; if err is not nil the connection is closed, since its state is unknown.
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

// gone records that a connection was closed, so that another may be opened.
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

// shrink limits the pool to its open connections for a while, because the server admits no more. It returns false if
// there are none.
func (p *Pool) shrink() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == 0 {
		return false
	}
	p.limit, p.full = p.open, time.Now().Add(connRetry)
	return true
}

// closeIdle closes connections that have been unused for a while.
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

// closeWatcher closes the watcher's connection if it has been unused for a while, and reports whether it is still open.
func (p *Pool) closeWatcher(now time.Time) (open bool) {
	if !p.watching.TryLock() {
		return true // in use
	}
	defer p.watching.Unlock()
	if p.watcher != nil && now.Sub(p.watcher.used) >= connIdle {
		p.watcher.close()
		p.watcher = nil
	}
	return p.watcher != nil
}

// conn is one connection to a database. Its calls are not bound to a context: line cuts it, without a goroutine per
// call.
type conn struct {
	*sql.Conn
	db     *sql.DB // with this connection only
	line   *line
	pid    int         // of the server process
	used   time.Time   // last
	forget func() bool // unbinds it from the context
}

// dial opens a connection and sets it up for the mirror. name is its application name, unless the connection string has
// one.
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

// setUp sets up the session, and refuses a database whose encoding cannot hold every text.
func (c *conn) setUp() error {
	var encoding string
	err := c.QueryRowContext(context.Background(),
		`SELECT current_setting('server_encoding'), pg_backend_pid()`).Scan(&encoding, &c.pid)
	if err != nil {
		return fmt.Errorf("read the encoding: %w", err)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("writeback: the database has the encoding %s; make one with ENCODING 'UTF8'", encoding)
	}
	// A time limit meant for interactive queries would fail the same batch again and again. A transaction that has waited
	// for the position must see what was committed meanwhile.
	_, err = c.ExecContext(context.Background(), `SET statement_timeout TO 0; SET idle_in_transaction_session_timeout TO 0;
		SET default_transaction_isolation TO 'read committed'; SET lock_timeout TO '`+rowLockTimeout+`'`)
	if err != nil {
		return fmt.Errorf("set up the connection: %w", err)
	}
	// On a system that does not support this, a statement continues for a while after the mirror was stopped.
	_, err = c.ExecContext(context.Background(), `SET client_connection_check_interval TO '1s'`)
	if _, refused := errors.AsType[*pq.Error](err); err != nil && !refused {
		return fmt.Errorf("set up the connection: %w", err)
	}
	return nil
}

// close closes the connection. Its error does not matter: uncommitted changes are lost anyway.
func (c *conn) close() {
	if c.Conn != nil {
		_ = c.Conn.Close()
	}
	_ = c.db.Close()
}

// line is the network connection under a conn. It dials under the ctx of its first user.
type line struct {
	ctx   context.Context
	pulse *pulse

	mu  sync.Mutex
	net net.Conn // guarded by mu
}

// cut closes the line, so that every call that waits for it ends: a server that does not answer would not react to a
// cancel request either.
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
