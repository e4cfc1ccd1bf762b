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

// dropAtOnce is how many tables one transaction drops: each takes locks, of which a server has so many.
const dropAtOnce = 100

// Drop removes what a database has of a space: its tables, archives and dead letters, and what the catalog says of it.
// No Writer may mirror the space. It refuses if something else depends on the tables, or is in their schema; then what
// it has not dropped is left. If it is interrupted it can be done again. It returns ErrNoMirror if there is nothing of
// the space.
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

// detailed adds to an error of the database what it says in detail, such as which objects are in the way.
func detailed(err error) error {
	if e, ok := errors.AsType[*pq.Error](err); ok && e.Detail != "" {
		return fmt.Errorf("%w: %s", err, e.Detail)
	}
	return err
}

// tablesOf returns the tables that mirrors have made for a space, as SQL writes their names.
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
		names, err := queryNames(tx, `SELECT table_name FROM gospaces.kinds WHERE space = $1 AND table_name <> ''`, space)
		for _, name := range names {
			tables = append(tables, schema+"."+quote(name))
		}
		return err
	})
	return append(tables, lettersName(space)), err
}
