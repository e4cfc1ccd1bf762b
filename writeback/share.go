package writeback

import (
	"database/sql"
	"fmt"
	"slices"

	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// The partitions of a space share the table of a kind. Each has its own row in gospaces.kinds, with its own number and
// definition of the kind, and its own rows in the table, which it knows by their identities. A partition adds the
// columns that it needs. If it has a field of another class than the column of that name, it gets a table of its own. A
// table is dropped, renamed or emptied as a whole by its last partition only.

// own returns the condition that an identity in a column is one of the partition.
func (db *database) own(column string) string {
	if db.partitions == 1 {
		return "true"
	}
	p := uint16(db.partition)
	return fmt.Sprintf("(%[1]s >= %[2]d AND %[1]s < %[3]d)", column, txn.IDBase(p), txn.IDBase(p+1))
}

// newTable returns the table of a kind as the partition uses it.
func (db *database) newTable(kind uint32, schema *template.Schema, mode Mode, name string) *table {
	t := newTable(kind, schema, mode, schemaName(db.space), name)
	t.partition, t.own = db.partition, db.own(quote(entryColumn))
	return t
}

// lockKinds prevents other partitions from changing tables of the space until the transaction ends.
func (db *database) lockKinds(tx *sql.Tx) error {
	if db.partitions == 1 {
		return nil
	}
	if _, err := tx.Exec(`SELECT pg_advisory_xact_lock($1, hashtext($2))`, int32(catalogLock>>32), db.space); err != nil {
		return fmt.Errorf("lock the kinds: %w", err)
	}
	db.surveyed = nil // others may have made tables
	return nil
}

// shared reports whether another partition uses the table of a kind, or did so and has not left it yet. The kinds are
// locked.
func (db *database) shared(tx *sql.Tx, t *table) (shared bool, err error) {
	if db.partitions == 1 || t.name == "" {
		return false, nil
	}
	err = tx.QueryRow(`SELECT EXISTS (SELECT FROM gospaces.kinds WHERE space = $1 AND table_name = $2
		AND (partition, kind) <> ($3, $4))`, db.space, t.name, db.partition, int64(t.kind)).Scan(&shared)
	if err != nil {
		err = fmt.Errorf("look for other partitions: %w", err)
	}
	return shared, err
}

// share makes t, which has no table, one that another partition has for the same kind. It returns false if there is
// none that fits. The kinds are locked.
func (db *database) share(tx *sql.Tx, t *table) (bool, error) {
	if db.partitions == 1 || t.aside {
		return false, nil
	}
	candidates, err := queryNames(tx, `SELECT DISTINCT table_name FROM gospaces.kinds
		WHERE space = $1 AND partition <> $2 AND name = $3 AND table_name <> '' AND dropped_at IS NULL ORDER BY 1`,
		db.space, db.partition, clearText(t.schema.Kind))
	if err != nil || len(candidates) == 0 {
		return false, err
	}
	tables, err := db.look(tx, candidates...)
	if err != nil {
		return false, err
	}
	for _, name := range candidates {
		if f := tables[name]; f != nil && f.keyed && t.fit(f) {
			t.name = name
			return true, execAll(tx, t.alter(f.columns, ""))
		}
	}
	return false, nil
}

// fit reports whether the rows of t can be stored in f, once it has the columns that it lacks. Another partition may
// have widened a column, and then t counts the field as a wide one, too.
func (t *table) fit(f *actual) bool {
	wide := t
	for _, c := range t.columns() {
		is, ok := f.columns[c.name]
		switch {
		case !ok, is == c.sqlType, is == "bigint" && c.sqlType == columnType(template.Uint):
		case is == columnType(template.Uint) && t.isInt(c.name):
			wide = wide.wider(slices.Index(t.fields, c.name))
		default:
			return false
		}
	}
	*t = *wide
	return true
}

// isInt reports whether a column is that of a field of class Int.
func (t *table) isInt(column string) bool {
	i := slices.Index(t.fields, column)
	return i >= 0 && t.schema.Fields[i].Class == template.Int
}

// wider returns the table with class Uint for field i, whose class is Int: its column holds every integer.
func (t *table) wider(i int) *table {
	fields := slices.Clone(t.schema.Fields)
	fields[i].Class = template.Uint
	return t.with(&template.Schema{Kind: t.schema.Kind, Fields: fields, Supers: t.schema.Supers})
}

// reform changes the table of a kind from old to t, or gives t another table if others need the old one as it is.
func (db *database) reform(tx *sql.Tx, old, t *table) error {
	shared, err := db.shared(tx, old)
	if err != nil {
		return err
	}
	if !shared {
		return execAll(tx, t.convert(old))
	}
	tables, err := db.look(tx, t.name)
	if err != nil {
		return err
	}
	if f := tables[t.name]; f != nil && t.fit(f) {
		return execAll(tx, t.alter(f.columns, ""))
	}
	t.name = ""
	return db.createTable(tx, t)
}

// refit takes over columns that other partitions have widened.
func (db *database) refit(tables map[string]*actual) {
	if db.partitions == 1 {
		return
	}
	for _, t := range db.stored() {
		if f := tables[t.name]; f != nil {
			if fitted := *t; fitted.fit(f) {
				db.tables[t.kind] = &fitted
			}
		}
	}
}

// others returns the tables of the other partitions.
func (db *database) others(tx *sql.Tx) (names, error) {
	if db.partitions == 1 {
		return nil, nil
	}
	all, err := queryNames(tx, `SELECT DISTINCT table_name FROM gospaces.kinds
		WHERE space = $1 AND partition <> $2 AND table_name <> ''`, db.space, db.partition)
	if err != nil {
		return nil, fmt.Errorf("look for other partitions: %w", err)
	}
	others := make(names)
	for _, name := range all {
		others[name] = true
	}
	return others, nil
}
