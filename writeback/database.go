package writeback

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"

	"github.com/lib/pq"
)

// database is a session's knowledge of the database: the state of the mirror as read at the start, and the session's
// changes to it. Each transaction takes a connection from the pool. Only one goroutine calls its methods.
type database struct {
	ctx     context.Context // of the session, which is why it may be stored; when it ends, connections are cut
	pool    *Pool
	conn    *conn          // during a transaction
	broken  error          // why the connection is unusable
	waits   func(bool)     // called with true when waiting for a connection begins, and with false when it ends
	blocked func(*Blocker) // called with the session that blocks a transaction, or nil

	space       string
	partition   int // of the space, from 0
	partitions  int // number in the space
	incarnation string

	position uint64            // of the last group in the database
	ahead    uint64            // if larger than position, parts of the groups up to here may be in the database too
	stamp    int64             // Time of the group at the larger of these when the connection was opened; 0: unknown
	highest  uint64            // the highest entry of any Put
	tables   map[uint32]*table // by kind
	ranks    map[uint32]int    // by kind; a table that refers to another has the higher rank
	surveyed *survey           // the content of the schema; nil: not read yet
	letters  int               // dead letters; an operator may have dropped some since

	origin    *Origin // of the space; nil: it was not loaded
	inherited bool    // it was the mirror of another log when the connection was opened

	modes      Modes
	repaired   []string        // damage found in tables when the connection was opened
	incomplete map[uint32]bool // kinds whose tables lack rows from before position
	orphaned   bool            // there were tables of unknown kinds

	keepArchives bool // tables are filled from an image, which has no entries that have left

	lines []byte // scratch memory of copyIn
}

// openDatabase creates what the mirror lacks, and reads its position.
func openDatabase(ctx context.Context, w *Writer) (*database, error) {
	db := newDatabase(ctx, w.cfg, w.cfg.Pool)
	db.waits, db.blocked = w.status.waits, w.status.blocked
	db.incarnation, db.origin = w.source.Incarnation(), originOf(w.source)
	return db, db.load()
}

// connect returns a database with its own connection, which is cut when ctx ends.
func connect(ctx context.Context, cfg Config) (*database, error) {
	pool, err := NewPool(cfg.DSN, 1)
	if err != nil {
		return nil, err
	}
	db := newDatabase(ctx, cfg, pool)
	if err := db.lease(); err != nil {
		return nil, err
	}
	// A person waits for this call, and can cancel it.
	if _, err := db.conn.ExecContext(context.Background(), `SET lock_timeout TO 0`); err != nil {
		db.close()
		return nil, fmt.Errorf("set up the connection: %w", err)
	}
	return db, nil
}

func newDatabase(ctx context.Context, cfg Config, pool *Pool) *database {
	return &database{
		ctx: ctx, pool: pool, space: cfg.Space, partition: cfg.Partition, partitions: max(cfg.Partitions, 1),
		modes:  cfg.Modes,
		tables: make(map[uint32]*table), incomplete: make(map[uint32]bool),
		waits: func(bool) {}, blocked: func(*Blocker) {},
	}
}

// close undoes connect.
func (db *database) close() {
	db.release()
	db.pool.Close()
}

// lease takes a connection from the pool until release. It blocks while none is free.
func (db *database) lease() error {
	c, err := db.pool.get(db.ctx, func() { db.waits(true) })
	db.waits(false)
	if err == nil {
		db.conn, db.broken = c, nil
	}
	return err
}

// release gives the connection back.
func (db *database) release() {
	if db.conn != nil {
		db.pool.put(db.conn, db.broken)
		db.conn = nil
	}
}

// transact runs do in a transaction, on the current connection or one that it takes from the pool for the transaction.
func (db *database) transact(do func(*sql.Tx) error) error {
	if db.conn == nil {
		if err := db.lease(); err != nil {
			return err
		}
		defer db.release()
	}
	defer db.pool.watch(db.conn.pid, db.blocked)()
	tx, err := db.conn.BeginTx(context.Background(), nil)
	if err != nil {
		db.broken = err
		return fmt.Errorf("begin: %w", err)
	}
	if err := do(tx); err != nil {
		db.broken = cmp.Or(db.broken, tx.Rollback())
		return err
	}
	if err := tx.Commit(); err != nil {
		if _, refused := errors.AsType[*pq.Error](err); !refused {
			db.broken = err
		}
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// restoring runs do, which changes the database in a transaction. If do fails, it restores the session's knowledge of
// the database.
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
