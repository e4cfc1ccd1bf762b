package writeback

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gospaces/gospaces/template"
)

// tablesAtOnce is the number of tables created in one transaction. Each takes about five locks, and a server has about
// 64 locks for each connection that it admits.
const tablesAtOnce = 50

// ready prepares the tables for b. An existing table is changed in its own transaction, so that its readers wait only
// for that.
func (db *database) ready(b *batch) error {
	tables, err := db.wants(b)
	if err != nil || len(tables) == 0 {
		return err
	}
	if err := db.announce(b); err != nil {
		return err
	}
	return db.blame(db.inChunks(tables, func(tx *sql.Tx, part []*table) error {
		if err := db.hold(tx, b.from, b.to); err != nil {
			return err
		}
		return db.define(tx, part)
	}))
}

// inChunks runs do for all tables, in short transactions with few locks: existing tables one by one.
func (db *database) inChunks(tables []*table, do func(*sql.Tx, []*table) error) error {
	for len(tables) > 0 {
		n := 1
		for n < min(tablesAtOnce, len(tables)) && db.tables[tables[n-1].kind] == nil && db.tables[tables[n].kind] == nil {
			n++
		}
		err := db.restoring(func() error {
			return db.transact(func(tx *sql.Tx) error { return do(tx, tables[:n]) })
		})
		if err != nil {
			return err
		}
		tables = tables[n:]
	}
	return nil
}

// wants returns the tables that b needs and that are missing or different, in the order of their kinds.
func (db *database) wants(b *batch) ([]*table, error) {
	wanted := make(map[uint32]*table)
	for kind, schema := range b.kinds {
		if err := db.want(wanted, kind, schema); err != nil {
			return nil, fmt.Errorf("kind %q: %w", schema.Kind, err)
		}
	}
	used := make(map[uint32]bool)
	for i := range b.puts {
		p := &b.puts[i]
		t := cmp.Or(wanted[p.kind], db.tables[p.kind])
		if t == nil {
			return nil, fmt.Errorf("entry %d is of kind %d: %w", p.entry, p.kind, errUndefined)
		}
		if p.dead {
			continue
		}
		used[p.kind] = true
		if wide := t.widened(p.row); wide != t {
			wanted[p.kind] = wide
		}
	}
	db.leave(wanted, b, used)
	return slices.SortedFunc(maps.Values(wanted), func(a, b *table) int { return cmp.Compare(a.kind, b.kind) }), nil
}

// want adds the table of a kind, unless it is up to date.
func (db *database) want(wanted map[uint32]*table, kind uint32, schema *template.Schema) error {
	old := db.tables[kind]
	if old == nil {
		wanted[kind] = db.newTable(kind, schema, db.modes.of(db.space, schema.Kind), "")
		return nil
	}
	if old.dropped {
		return nil
	}
	merged, err := old.schema.Merge(schema) // not schema itself, since old may have wider classes
	if errors.Is(err, template.ErrSchemaConflict) {
		merged, err = schema, nil // the kind has no entries, and starts again
	}
	if err == nil && merged != old.schema {
		wanted[kind] = old.with(merged)
	}
	return err
}

// define creates or changes tables.
func (db *database) define(tx *sql.Tx, tables []*table) error {
	if len(tables) == 0 {
		return nil
	}
	if err := hurry(tx); err != nil {
		return err
	}
	if err := db.lockKinds(tx); err != nil {
		return err
	}
	for _, t := range tables {
		var err error
		if old := db.tables[t.kind]; old == nil {
			err = db.create(tx, t)
		} else {
			err = db.change(tx, old, t)
		}
		if err != nil {
			return fmt.Errorf("kind %q: %w", t.schema.Kind, err)
		}
	}
	return nil
}

// create adds a new kind to the catalog, and creates its table, if it has one.
func (db *database) create(tx *sql.Tx, t *table) error {
	if t.mode != None && !t.dropped {
		if err := db.createTable(tx, t); err != nil {
			return err
		}
	}
	_, err := tx.Exec(`INSERT INTO gospaces.kinds (space, partition, kind, name, table_name, mode, definition, dropped_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $8 THEN now() END)`,
		db.space, db.partition, int64(t.kind), clearText(t.schema.Kind), t.name, t.mode.String(),
		template.AppendSchema(nil, t.schema), t.dropped)
	db.tables[t.kind] = t
	return err
}

// createTable creates the table of a kind that has none, under a free name, unless there is one that it can have. The
// kinds are locked.
func (db *database) createTable(tx *sql.Tx, t *table) error {
	if shared, err := db.share(tx, t); shared || err != nil {
		return err
	}
	s, err := db.survey(tx)
	if err != nil {
		return err
	}
	if adopted, err := db.adopt(tx, s, t); adopted || err != nil {
		return err
	}
	if t.aside {
		t.name = s.names.pickWith(t.schema.Kind, t.asideSuffix())
	} else {
		t.name = s.names.pick(t.schema.Kind)
	}
	return execAll(tx, t.create(s.names.pick(t.name+"_pkey")))
}

// change changes the table of a kind from old to t.
func (db *database) change(tx *sql.Tx, old, t *table) error {
	if t.aside {
		if err := db.setAside(tx, old); err != nil {
			return err
		}
		t.name = db.tables[t.kind].name
	}
	if t.mode != None && t.name != "" {
		if err := db.reform(tx, old, t); err != nil {
			return err
		}
	}
	_, err := tx.Exec(`UPDATE gospaces.kinds SET definition = $4, table_name = $5
		WHERE space = $1 AND partition = $2 AND kind = $3`,
		db.space, db.partition, int64(t.kind), template.AppendSchema(nil, t.schema), t.name)
	db.tables[t.kind] = t
	return err
}

// convert returns the statements that turn old into t. A field whose class has changed gets a new column: in a mirror,
// whose rows have left, it replaces the old one; in an archive the old one stays under another name.
func (t *table) convert(old *table) []string {
	have := old.shape()
	taken := make(names)
	var changed []string
	for _, c := range t.columns() {
		is, ok := have[c.name]
		if ok && is != c.sqlType && (is != "bigint" || c.sqlType != columnType(template.Uint)) {
			changed = append(changed, c.name)
		}
		taken[c.name] = true
	}
	switch {
	case len(changed) == 0:
		return t.alter(have, "")
	case t.mode != Append:
		return t.alter(have, usingNone)
	}
	var renames []string
	for _, name := range changed {
		renames = append(renames,
			"ALTER TABLE "+t.sql()+" RENAME COLUMN "+quote(name)+" TO "+quote(taken.pick(name+"_before")))
		delete(have, name)
	}
	return append(renames, t.alter(have, "")...)
}

// announce records in the database that parts of b may soon be there, unless that is recorded already.
func (db *database) announce(b *batch) error {
	if db.ahead == b.to {
		return nil
	}
	err := db.transact(func(tx *sql.Tx) error {
		moved, err := affected(tx.Exec(`UPDATE gospaces.positions SET ahead = $1, highest_entry = $2, stamp = $8
			WHERE space = $3 AND partition = $4 AND incarnation = $5 AND position = $6 AND ahead = $7`,
			int64(b.to), int64(b.highest), db.space, db.partition, db.incarnation, int64(b.from), int64(db.ahead), b.stamp))
		if err != nil {
			return fmt.Errorf("announce: %w", err)
		}
		if moved != 1 {
			return errMoved
		}
		return nil
	})
	if err == nil {
		db.ahead = b.to
	}
	return err
}

// hold locks the position until the transaction ends. It returns errMoved if the position has changed, or if a range
// other than from–to was announced.
func (db *database) hold(tx *sql.Tx, from, to uint64) error {
	var one int
	err := tx.QueryRow(`SELECT 1 FROM gospaces.positions
		WHERE space = $1 AND partition = $2 AND incarnation = $3 AND position = $4 AND ahead = $5 FOR SHARE`,
		db.space, db.partition, db.incarnation, int64(from), int64(to)).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return errMoved
	}
	if err != nil {
		return fmt.Errorf("hold the position: %w", err)
	}
	return nil
}
