package writeback

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lib/pq"
)

// A lock that others hold keeps the mirror waiting, and statements that come after the mirror's wait behind it. So it
// never waits for long, gives up all that it holds, and tries again.
const (
	// rowLockTimeout bounds the wait for a row, or for the lock that changes of rows need, which keeps no reader
	// waiting. It is longer than the server takes to find a deadlock.
	rowLockTimeout = "3s"

	// tableLockTimeout bounds the wait to change a table, which every reader of the table would have to wait behind.
	tableLockTimeout = "200ms"

	// lockPause is the longest pause before the next attempt to get a lock.
	lockPause = 2 * time.Second
)

// hurry has the rest of a transaction wait for locks only as long as a change of a table may.
func hurry(tx *sql.Tx) error {
	_, err := tx.Exec(`SET LOCAL lock_timeout TO '` + tableLockTimeout + `'`)
	return err
}

// lockTimedOut reports whether err says that a lock was not to be had in time.
func lockTimedOut(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && e.Code == lockNotAvailable
}

// tooMany reports whether err says that the server admits no more connections.
func tooMany(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && e.Code == tooManyConnections
}

// Blocker is a session of the database that holds a lock which the mirror waits for, or waits for one before it.
type Blocker struct {
	PID         int // of the server's process; 0: a prepared transaction
	User        string
	Application string
	State       string        // as pg_stat_activity has it: "idle in transaction" is one that was forgotten
	Query       string        // the one that runs, or the last
	Age         time.Duration // of its transaction
}

// String returns all of it in one line.
func (b *Blocker) String() string {
	if b == nil {
		return "unknown"
	}
	return fmt.Sprintf("process %d of %s (%s), %s for %v: %s", b.PID, b.User, b.Application, b.State, b.Age.Round(time.Second), b.Query)
}

const (
	// watchAfter is how long a transaction may last before the pool looks whether it waits for others.
	watchAfter = 50 * time.Millisecond

	// watchEvery is how often it looks from then on.
	watchEvery = time.Second
)

// watch has report called with what blocks the transaction that the server's process pid has begun, now and then while
// it lasts: with nil if it does not wait. It does not call it once the returned function was called.
func (p *Pool) watch(pid int, report func(*Blocker)) (stop func()) {
	var mu sync.Mutex
	var timer *time.Timer
	stopped := false
	look := func() {
		b, err := p.blocker(pid)
		mu.Lock()
		defer mu.Unlock()
		if stopped {
			return
		}
		if err == nil {
			report(b)
		}
		timer.Reset(watchEvery)
	}
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(watchAfter, look)
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}
}

// blocker returns what blocks a process, or nil. It asks over a connection of its own, which is open while it is
// needed.
func (p *Pool) blocker(pid int) (*Blocker, error) {
	p.watching.Lock()
	defer p.watching.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), watchEvery)
	defer cancel()
	c, err := p.watcherConn(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, c.line.cut)
	b, err := blockerOf(c, pid)
	if !stop() || err != nil {
		c.close()
		p.watcher = nil
	}
	return b, err
}

// watcherConn returns the connection of the watcher. It must be called with watching held.
func (p *Pool) watcherConn(ctx context.Context) (*conn, error) {
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return nil, errors.New("the pool is closed")
	}
	if p.watcher == nil {
		c, err := dial(ctx, p.dsn, "gospaces watcher", &p.pulse)
		if err != nil {
			return nil, err
		}
		p.watcher = c
	}
	p.watcher.used = time.Now()
	return p.watcher, nil
}

func blockerOf(c *conn, pid int) (*Blocker, error) {
	var b Blocker
	var seconds float64
	err := c.QueryRowContext(context.Background(), `SELECT by.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(a.state, ''),
			coalesce(a.query, ''), coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)
		FROM unnest(pg_blocking_pids($1)) AS by (pid) LEFT JOIN pg_stat_activity a ON a.pid = by.pid ORDER BY a.xact_start LIMIT 1`, pid).
		Scan(&b.PID, &b.User, &b.Application, &b.State, &b.Query, &seconds)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	b.Age = time.Duration(seconds * float64(time.Second))
	return &b, err
}
