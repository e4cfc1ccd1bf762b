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

// database is what a session knows of the database: what was read of the mirror's state when it was opened, and what it
// has made of it. Each transaction takes a connection from the pool. Its methods are called by one goroutine.
type database struct {
	ctx     context.Context // of the session: that is why it may be kept; when it ends, connections are cut
	pool    *Pool
	conn    *conn          // while there is one
	broken  error          // why the connection is of no use any more
	waits   func(bool)     // told when a connection is waited for, and when not any more
	blocked func(*Blocker) // told what keeps a transaction waiting, or nil

	space       string
	incarnation string

	position uint64            // of the last group in the database
	ahead    uint64            // if it is more: there may be parts of the groups up to there, too
	stamp    int64             // Time of the group at the further of these, when the connection was opened; 0: unknown
	highest  uint64            // the highest entry that was ever put
	tables   map[uint32]*table // by kind
	ranks    map[uint32]int    // by kind; a table that refers to another has the higher one
	surveyed *survey           // what is in the schema, or nil: it is to be read
	letters  int               // dead letters; an operator may have dropped some since

	origin    *Origin // of the space; nil: it was not loaded
	inherited bool    // the mirror of another log, when the connection was opened

	modes      Modes
	repaired   []string        // what was wrong with tables when the connection was opened
	incomplete map[uint32]bool // kinds whose tables lack rows from before position
	orphaned   bool            // there were tables of kinds that are not known

	keepArchives bool // tables are filled from an image, which has nothing of entries that have left

	lines []byte // scratch of copyIn
}

// openDatabase makes what is missing of the mirror, and reads how far it is.
func openDatabase(ctx context.Context, w *Writer) (*database, error) {
	db := newDatabase(ctx, w.cfg, w.cfg.Pool)
	db.waits, db.blocked = w.status.waits, w.status.blocked
	db.incarnation, db.origin = w.source.Incarnation(), originOf(w.source)
	return db, db.load()
}

// connect returns a database with a connection of its own, which is cut when ctx ends.
func connect(ctx context.Context, cfg Config) (*database, error) {
	pool, err := NewPool(cfg.DSN, 1)
	if err != nil {
		return nil, err
	}
	db := newDatabase(ctx, cfg, pool)
	if err := db.lease(); err != nil {
		return nil, err
	}
	// A person waits for it, who can end it.
	if _, err := db.conn.ExecContext(context.Background(), `SET lock_timeout TO 0`); err != nil {
		db.close()
		return nil, fmt.Errorf("set up the connection: %w", err)
	}
	return db, nil
}

func newDatabase(ctx context.Context, cfg Config, pool *Pool) *database {
	return &database{
		ctx: ctx, pool: pool, space: cfg.Space, modes: cfg.Modes,
		tables: make(map[uint32]*table), incomplete: make(map[uint32]bool),
		waits: func(bool) {}, blocked: func(*Blocker) {},
	}
}

// close ends what connect has begun.
func (db *database) close() {
	db.release()
	db.pool.Close()
}

// lease takes a connection from the pool until release. It blocks while there is none.
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

// transact runs do in a transaction, on a connection that it takes and gives back unless there is one.
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

// restoring runs do, which changes the database in a transaction. If it fails, what is known of the database is again
// what it was.
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
