//go:build linux

package crash

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/lib/pq"

	"github.com/gospaces/gospaces/internal/postgres"
)

// database is the database of the mirrors. Only one goroutine at a time may call its methods.
type database struct {
	server *postgres.Server
	dsn    string
	disk   *disk // of its tables; nil: it cannot be filled
}

// openDatabase starts a server with an empty database. Its tables are on a small disk, if possible.
func openDatabase(ctx context.Context) (*database, error) {
	server, err := postgres.Start(ctx, postgres.Config{})
	if err != nil {
		return nil, err
	}
	db := &database{server: server}
	if db.dsn, err = server.NewDatabase(ctx); err == nil {
		err = db.makeDisk(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, db.close())
	}
	return db, nil
}

func (db *database) makeDisk(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "gospaces-crash-") // accessible to the server's user
	if err != nil {
		return err
	}
	db.disk, err = newDisk(dir, tablesSize)
	if errors.Is(err, errNoMount) {
		return os.Remove(dir)
	}
	if err != nil {
		return err
	}
	return db.useDisk(ctx)
}

// close ends the server and deletes all its data.
func (db *database) close() error {
	err := db.server.Stop()
	if db.disk != nil {
		err = errors.Join(err, db.disk.unmount(), os.Remove(db.disk.dir))
	}
	return err
}

func (db *database) useDisk(ctx context.Context) error {
	cfg, err := pq.NewConfig(db.dsn)
	if err != nil {
		return err
	}
	info, err := os.Stat(cfg.Host) // the server's folder
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	if err := os.Chown(db.disk.dir, int(owner.Uid), int(owner.Gid)); err != nil {
		return err
	}
	return db.with(ctx, func(q *sql.DB) error {
		for _, query := range []string{
			fmt.Sprintf(`CREATE TABLESPACE small LOCATION '%s'`, db.disk.dir),
			fmt.Sprintf(`ALTER DATABASE %s SET default_tablespace = small`, cfg.Database),
		} {
			if _, err := q.ExecContext(ctx, query); err != nil {
				return err
			}
		}
		return nil
	})
}

// with calls fn with a connection.
func (db *database) with(ctx context.Context, fn func(*sql.DB) error) error {
	q, err := sql.Open("postgres", db.dsn)
	if err != nil {
		return err
	}
	defer q.Close()
	return fn(q)
}

// restart kills the server with SIGKILL and starts it again after a while.
func (db *database) restart(ctx context.Context, after time.Duration) error {
	if err := db.server.Kill(); err != nil {
		return err
	}
	pause(ctx, after)
	return db.revive(ctx)
}

// revive starts the server if it does not answer. If its disk is full the server cannot recover, and revive tries
// again.
func (db *database) revive(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx) // the end of a round must not interrupt this
	for {
		if err := db.with(ctx, func(q *sql.DB) error { return q.PingContext(ctx) }); err == nil {
			return nil
		}
		wasFull := db.full()
		if err := db.server.Kill(); err != nil {
			return err
		}
		err := db.server.Restart(ctx)
		if err != nil && !wasFull && !db.full() {
			return err
		}
		pause(ctx, 100*time.Millisecond)
	}
}

func (db *database) full() bool { return db.disk != nil && db.disk.filled.Load() }

// killBackend kills our sessions' processes with SIGKILL, after which the server ends all others and recovers; or,
// kindly, asks the server to end them.
func (db *database) killBackend(ctx context.Context, kindly bool) error {
	return db.with(ctx, func(q *sql.DB) error {
		rows, err := q.QueryContext(ctx,
			`SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		if err != nil {
			return nil // it is down at the moment
		}
		defer rows.Close()
		var pids []int
		for rows.Next() {
			var pid int
			if err := rows.Scan(&pid); err != nil {
				return err
			}
			pids = append(pids, pid)
		}
		sig := syscall.SIGKILL
		if kindly {
			sig = syscall.SIGTERM
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
		return nil
	})
}

// pause stops the server's processes for a while.
func (db *database) pause(ctx context.Context, d time.Duration) error {
	if err := db.server.Pause(); err != nil {
		return err
	}
	pause(ctx, d)
	return db.server.Continue()
}
