package writeback

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lib/pq"
)

// dropAtOnce is the number of tables dropped in one transaction, since each takes locks.
const dropAtOnce = 100

// Drop removes a space from a database: its tables, archives and dead letters, and its entries in the catalog. No
// Writer may mirror the space at the time. Drop returns an error if something else depends on the tables, or is in
// their schema; what it has not dropped stays. After an interruption it can be repeated. It returns ErrNoMirror if the
// database has nothing of the space.
func Drop(ctx context.Context, dsn, space string) error {
	db, err := connect(ctx, Config{DSN: dsn, Space: space})
	if err != nil {
		return err
	}
	defer db.close()
	tables, err := db.tablesOf(space)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(tables, dropAtOnce) {
		if err := db.transact(func(tx *sql.Tx) error {
			_, err := tx.Exec(`DROP TABLE IF EXISTS ` + strings.Join(some, ", "))
			return err
		}); err != nil {
			return fmt.Errorf("drop the tables of space %q: %w", space, detailed(err))
		}
	}
	err = db.transact(func(tx *sql.Tx) error {
		for _, q := range []string{
			`DROP SCHEMA IF EXISTS ` + quote(schemaName(space)),
			`DELETE FROM gospaces.kinds WHERE space = ` + pq.QuoteLiteral(space),
			`DELETE FROM gospaces.positions WHERE space = ` + pq.QuoteLiteral(space),
		} {
			if _, err := tx.Exec(q); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("drop schema %s: %w", quote(schemaName(space)), detailed(err))
	}
	return nil
}

// detailed adds the details of a database error, such as which objects are in the way.
func detailed(err error) error {
	if e, ok := errors.AsType[*pq.Error](err); ok && e.Detail != "" {
		return fmt.Errorf("%w: %s", err, e.Detail)
	}
	return err
}

// tablesOf returns the tables that mirrors have created for a space, quoted for SQL.
func (db *database) tablesOf(space string) (tables []string, err error) {
	schema := quote(schemaName(space))
	err = db.transact(func(tx *sql.Tx) error {
		if err := db.findCatalog(tx); err != nil {
			return err
		}
		var known bool
		if err := tx.QueryRow(`SELECT EXISTS (SELECT FROM gospaces.positions WHERE space = $1)`,
			space).Scan(&known); err != nil {
			return err
		}
		if !known {
			return ErrNoMirror
		}
		names, err := queryNames(tx, `SELECT DISTINCT table_name FROM gospaces.kinds WHERE space = $1 AND table_name <> ''`,
			space)
		for _, name := range names {
			tables = append(tables, schema+"."+quote(name))
		}
		return err
	})
	return append(tables, lettersName(space)), err
}
