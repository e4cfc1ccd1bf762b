package writeback

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"net"
	"time"

	"github.com/lib/pq"
)

// database is one connection to the database, with what was read of the mirror's state when it was opened. Its methods
// are called by one goroutine. After an error it is only closed: the state in memory may be ahead of the database's.
type database struct {
	space       string
	incarnation string
	pool        *sql.DB
	conn        *sql.Conn // its calls are not bound to a context: cutter does that, without a goroutine for each

	position uint64            // of the last group in the database
	highest  uint64            // the highest entry that was ever put
	tables   map[uint32]*table // by kind
	removals map[uint32]uint64 // rows deleted so far from the table of a kind

	lines []byte // scratch of copyIn
}

// openDatabase connects, makes what is missing of the mirror, and reads how far it is. When ctx ends, the connection is
// cut, whatever it waits for: a server that does not answer does not listen to a request to cancel either.
func openDatabase(ctx context.Context, cfg Config, incarnation string) (_ *database, err error) {
	connector, err := newConnector(ctx, cfg.DSN)
	if err != nil {
		return nil, err
	}
	db := &database{
		space: cfg.Space, incarnation: incarnation, pool: sql.OpenDB(connector),
		tables: make(map[uint32]*table), removals: make(map[uint32]uint64),
	}
	defer func() {
		if err != nil {
			db.close()
		}
	}()
	if db.conn, err = db.pool.Conn(ctx); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if err = db.load(); err != nil {
		return nil, err
	}
	return db, nil
}

func newConnector(ctx context.Context, dsn string) (*pq.Connector, error) {
	cfg, err := pq.NewConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("writeback: DSN: %w", err)
	}
	cfg.FallbackApplicationName = cmp.Or(cfg.FallbackApplicationName, "gospaces writeback")
	connector, err := pq.NewConnectorConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("writeback: DSN: %w", err)
	}
	connector.Dialer(cutter{ctx})
	return connector, nil
}

// close ends the connection. Its error would tell nothing: what was not committed is not there.
func (db *database) close() {
	if db.conn != nil {
		_ = db.conn.Close()
	}
	_ = db.pool.Close()
}

// ping returns an error if the database does not answer.
func (db *database) ping() error {
	if err := db.conn.PingContext(context.Background()); err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	return nil
}

// transact runs do in a transaction.
func (db *database) transact(do func(*sql.Tx) error) error {
	tx, err := db.conn.BeginTx(context.Background(), nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := do(tx); err != nil {
		_ = tx.Rollback() // the connection is closed next, which does the same if this could not
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// cutter dials connections that are closed when ctx ends, which is the session's: that is why it may keep it.
type cutter struct{ ctx context.Context }

func (c cutter) Dial(network, address string) (net.Conn, error) {
	return c.DialContext(c.ctx, network, address)
}

func (c cutter) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(c.ctx, timeout)
	defer cancel()
	return c.DialContext(ctx, network, address)
}

func (c cutter) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &cutConn{Conn: conn, forget: context.AfterFunc(c.ctx, func() { _ = conn.Close() })}, nil
}

// cutConn is a connection that lets go of its context when it is closed.
type cutConn struct {
	net.Conn
	forget func() bool
}

func (c *cutConn) Close() error {
	c.forget()
	return c.Conn.Close()
}
