package writeback

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"net"
	"time"

	"github.com/lib/pq"
)

// database is one connection to the database, with what was read of the mirror's state when it was opened. Its methods
// are called by one goroutine.
type database struct {
	space       string
	incarnation string
	pool        *sql.DB
	conn        *sql.Conn // its calls are not bound to a context: cutter does that, without a goroutine for each

	position uint64            // of the last group in the database
	ahead    uint64            // if it is more: there may be parts of the groups up to there, too
	stamp    int64             // Time of the group at the further of these, when the connection was opened; 0: unknown
	highest  uint64            // the highest entry that was ever put
	tables   map[uint32]*table // by kind
	ranks    map[uint32]int    // by kind; a table that refers to another has the higher one
	surveyed *survey           // what is in the schema, or nil: it is to be read
	letters  int               // dead letters; somebody may have dropped some since

	origin    *Origin // of the space; nil: it was not loaded
	inherited bool    // the mirror of another log, when the connection was opened

	modes      Modes
	repaired   []string        // what was wrong with tables when the connection was opened
	incomplete map[uint32]bool // kinds whose tables lack rows from before position
	orphaned   bool            // there were tables of kinds that are not known

	keepArchives bool // tables are filled from an image, which has nothing of entries that have left

	lines []byte // scratch of copyIn
}

// openDatabase connects, makes what is missing of the mirror, and reads how far it is.
func openDatabase(ctx context.Context, cfg Config, source Source) (*database, error) {
	db, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	db.incarnation, db.origin = source.Incarnation(), originOf(source)
	if err = db.load(); err != nil {
		db.close()
		return nil, err
	}
	return db, nil
}

// connect opens the connection. When ctx ends it is cut, whatever it waits for: a server that does not answer does not listen
// to a request to cancel either.
func connect(ctx context.Context, cfg Config) (*database, error) {
	connector, err := newConnector(ctx, cfg.DSN)
	if err != nil {
		return nil, err
	}
	db := &database{
		space: cfg.Space, pool: sql.OpenDB(connector), modes: cfg.Modes,
		tables: make(map[uint32]*table), incomplete: make(map[uint32]bool),
	}
	if db.conn, err = db.pool.Conn(ctx); err != nil {
		db.close()
		return nil, fmt.Errorf("connect: %w", err)
	}
	return db, nil
}

func newConnector(ctx context.Context, dsn string) (*pq.Connector, error) {
	cfg, err := pq.NewConfig(dsn)
	if err != nil {
		return nil, badDSN(err)
	}
	cfg.ApplicationName = cmp.Or(cfg.ApplicationName, "gospaces writeback")
	connector, err := pq.NewConnectorConfig(cfg)
	if err != nil {
		return nil, badDSN(err)
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

// restoring runs do, which changes the database in a transaction. If it fails, what is known of the database is again what it was.
func (db *database) restoring(do func() error) error {
	tables, incomplete := maps.Clone(db.tables), maps.Clone(db.incomplete)
	letters, position, highest := db.letters, db.position, db.highest
	err := do()
	if err != nil {
		db.tables, db.incomplete, db.surveyed = tables, incomplete, nil
		db.letters, db.position, db.highest = letters, position, highest
	}
	return err
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
