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

// While the mirror waits for a lock that others hold, statements that need the lock later wait behind it. So the mirror
// never waits for long: it releases all its locks and tries again.
const (
	// rowLockTimeout limits the wait for a row, or for the lock for changing rows, behind which no reader waits. It is
	// longer than the server takes to find a deadlock.
	rowLockTimeout = "3s"

	// tableLockTimeout limits the wait for changing a table, behind which every reader of the table waits.
	tableLockTimeout = "200ms"

	// lockPause is the maximum pause before the next attempt to get a lock.
	lockPause = 2 * time.Second
)

// hurry limits the waits for locks in the rest of a transaction to tableLockTimeout.
func hurry(tx *sql.Tx) error {
	_, err := tx.Exec(`SET LOCAL lock_timeout TO '` + tableLockTimeout + `'`)
	return err
}

// lockTimedOut reports whether err means that a lock was not obtained in time.
func lockTimedOut(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && e.Code == lockNotAvailable
}

// tooMany reports whether err means that the server admits no more connections.
func tooMany(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && e.Code == tooManyConnections
}

// Blocker is a database session that holds a lock for which the mirror waits, or waits for it ahead of the mirror.
type Blocker struct {
	PID         int // of the server process; 0: a prepared transaction
	User        string
	Application string
	State       string        // from pg_stat_activity: "idle in transaction" is often a forgotten one
	Query       string        // current or last
	Age         time.Duration // of its transaction
}

// String returns the fields in one line.
func (b *Blocker) String() string {
	if b == nil {
		return "unknown"
	}
	return fmt.Sprintf("process %d of %s (%s), %s for %v: %s",
		b.PID, b.User, b.Application, b.State, b.Age.Round(time.Second), b.Query)
}

const (
	// watchAfter is the age of a transaction at which the pool checks whether it is blocked.
	watchAfter = 50 * time.Millisecond

	// watchEvery is the interval of further checks.
	watchEvery = time.Second
)

// watch calls report with the session that blocks the transaction of server process pid, periodically while the
// transaction lasts; with nil if it is not blocked. It does not call report after stop was called.
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

// blocker returns the session that blocks a process, or nil. It uses its own connection, which is open while it is
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
	err := c.QueryRowContext(context.Background(),
		`SELECT by.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(a.state, ''),
			coalesce(a.query, ''), coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)
		FROM unnest(pg_blocking_pids($1)) AS by (pid) LEFT JOIN pg_stat_activity a ON a.pid = by.pid
		ORDER BY a.xact_start LIMIT 1`, pid).
		Scan(&b.PID, &b.User, &b.Application, &b.State, &b.Query, &seconds)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	b.Age = time.Duration(seconds * float64(time.Second))
	return &b, err
}
