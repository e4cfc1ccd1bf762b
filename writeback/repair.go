package writeback

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lib/pq"
)

// actual is a table as found in the schema of a space.
type actual struct {
	name    string
	comment string            // written by create, or another
	columns map[string]string // name → type
	keyed   bool              // it has a primary key
}

// look returns the existing tables of the space, by name; only those with the given names if there are any.
func (db *database) look(tx *sql.Tx, named ...string) (map[string]*actual, error) {
	rows, err := tx.Query(`SELECT c.relname, coalesce(obj_description(c.oid, 'pg_class'), ''),
			EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary),
			coalesce(a.attname, ''), coalesce(format_type(a.atttypid, a.atttypmod), '')
		FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p') AND ($2 OR c.relname = ANY ($3::text[]))`,
		quote(schemaName(db.space)), len(named) == 0, pq.Array(named))
	if err != nil {
		return nil, fmt.Errorf("look at the tables: %w", err)
	}
	defer rows.Close()
	tables := make(map[string]*actual)
	for rows.Next() {
		f := &actual{columns: make(map[string]string)}
		var column, sqlType string
		if err := rows.Scan(&f.name, &f.comment, &f.keyed, &column, &sqlType); err != nil {
			return nil, fmt.Errorf("look at the tables: %w", err)
		}
		if tables[f.name] == nil {
			tables[f.name] = f
		}
		tables[f.name].columns[column] = sqlType
	}
	return tables, rows.Err()
}

// damage describes how f differs from t; "" if it does not.
func (t *table) damage(f *actual) string {
	if f == nil {
		return "table " + t.sql() + " is gone"
	}
	for _, c := range t.columns() {
		switch is, ok := f.columns[c.name]; {
		case !ok:
			return "column " + quote(c.name) + " of " + t.sql() + " is gone"
		case is != c.sqlType:
			return fmt.Sprintf("column %s of %s has type %s instead of %s", quote(c.name), t.sql(), is, c.sqlType)
		}
	}
	if !f.keyed {
		return "the primary key of " + t.sql() + " is gone"
	}
	return ""
}

// inspect returns an error that wraps errDamaged and describes what others have done to the tables, or nil if they are
// intact.
func (db *database) inspect() error {
	var damages []string
	err := db.transact(func(tx *sql.Tx) error {
		tables, err := db.look(tx)
		if err != nil {
			return err
		}
		db.refit(tables)
		for _, t := range db.stored() {
			if d := t.damage(tables[t.name]); d != "" {
				damages = append(damages, d)
			}
		}
		if err := db.rank(tx); err != nil {
			return err
		}
		var kinds, lacking int
		err = tx.QueryRow(`SELECT count(*), count(*) FILTER (WHERE NOT complete AND mode <> 'none' AND dropped_at IS NULL)
			FROM gospaces.kinds WHERE space = $1 AND partition = $2`, db.space, db.partition).Scan(&kinds, &lacking)
		if kinds != len(db.tables) {
			damages = append(damages, fmt.Sprintf("gospaces.kinds has %d kinds instead of %d", kinds, len(db.tables)))
		}
		if lacking > len(db.incomplete) { // another partition has found them damaged
			damages = append(damages, "tables lack rows")
		}
		return err
	})
	if err != nil || len(damages) == 0 {
		return err
	}
	return fmt.Errorf("%w: %s", errDamaged, strings.Join(damages, "; "))
}

// repair restores the tables. Rows lost by that, or before, are missing until refill.
func (db *database) repair(tx *sql.Tx) error {
	if err := hurry(tx); err != nil {
		return err
	}
	tables, err := db.look(tx)
	if err != nil {
		return err
	}
	db.refit(tables)
	if db.partitions > 1 && db.damaged(tables) {
		if err := db.lockKinds(tx); err != nil {
			return err
		}
		if tables, err = db.look(tx); err != nil {
			return err
		}
		db.refit(tables)
	}
	for _, t := range db.stored() {
		f := tables[t.name]
		damage := t.damage(f)
		if damage == "" {
			continue
		}
		if err := db.repairTable(tx, t, f); err != nil {
			return fmt.Errorf("repair: %s: %w", damage, err)
		}
		if f == nil || !f.keyed || t.lossy(f) {
			db.repaired = append(db.repaired, damage)
		}
	}
	db.surveyed = nil // it lacks what was created here
	others, err := db.others(tx)
	if err != nil {
		return err
	}
	if db.forgotten() {
		db.orphaned = true
		db.repaired = append(db.repaired, fmt.Sprintf("gospaces.kinds lacks kinds of partition %d", db.partition))
	}
	for _, f := range db.orphans(tables, others) {
		db.orphaned = true
		db.repaired = append(db.repaired, "gospaces.kinds does not know "+quote(f.name)+" any more")
	}
	return nil
}

// forgotten reports whether the catalog has lost kinds, which are numbered without gaps, though other partitions may
// know their tables.
func (db *database) forgotten() bool {
	if db.partitions == 1 || len(db.tables) == 0 {
		return db.partitions > 1 && db.highest > 0
	}
	return int(slices.Max(slices.Collect(maps.Keys(db.tables)))) > len(db.tables)
}

// damaged reports whether repair has something to do.
func (db *database) damaged(tables map[string]*actual) bool {
	return slices.ContainsFunc(db.stored(), func(t *table) bool { return t.damage(tables[t.name]) != "" })
}

// orphans returns the tables of unknown kinds: the catalog has lost them. others are the tables of other partitions.
func (db *database) orphans(tables map[string]*actual, others names) []*actual {
	var orphans []*actual
	known, left := make(map[string]bool), make(map[string]bool)
	for _, t := range db.tables {
		if t.dropped {
			left[t.name] = true
		} else {
			known[t.comment()] = true
		}
	}
	for _, f := range tables {
		if strings.HasPrefix(f.comment, kindComment) && !known[f.comment] && !left[f.name] && !others[f.name] {
			orphans = append(orphans, f)
		}
	}
	return orphans
}

// lostComment precedes the comment of orphans without a kind: the kind is yet to come, or never will.
const lostComment = "lost "

// adopt makes an orphan the table of t, which has none. It returns false if there is no orphan for it.
func (db *database) adopt(tx *sql.Tx, s *survey, t *table) (bool, error) {
	f := s.lost[t.comment()]
	if f == nil {
		return false, nil
	}
	delete(s.lost, t.comment())
	t.name = f.name
	if err := db.empty(tx, t, f); err != nil {
		return false, err
	}
	if err := db.reshape(tx, t, f, usingText); err != nil {
		return false, err
	}
	return true, execAll(tx, t.label())
}

// lose marks the orphans as lost.
func (db *database) lose(tx *sql.Tx) error {
	tables, err := db.look(tx)
	if err != nil {
		return err
	}
	others, err := db.others(tx)
	if err != nil {
		return err
	}
	var statements []string
	for _, f := range db.orphans(tables, others) {
		statements = append(statements,
			`COMMENT ON TABLE `+quote(schemaName(db.space))+`.`+quote(f.name)+` IS `+literal(lostComment+f.comment))
	}
	return execAll(tx, statements)
}

// empty makes room for all rows of t. An archive keeps its rows if they do not come again; it is then only known of
// their entries that they have left.
func (db *database) empty(tx *sql.Tx, t *table, f *actual) error {
	statement := `DELETE FROM ` + t.sql() + ` WHERE ` + t.own
	if _, ok := f.columns[leftColumn]; ok && t.mode == Append && db.keepArchives {
		statement = `UPDATE ` + t.sql() + ` SET ` + quote(leftColumn) + ` = now(), ` + quote(howColumn) +
			` = 'unknown' WHERE ` + quote(leftColumn) + ` IS NULL AND ` + t.own
	}
	if _, err := tx.Exec(statement); err != nil {
		return fmt.Errorf("empty %s: %w", t.sql(), err)
	}
	return nil
}

// How values are converted when the type of a column is restored: in an archive from their text; in a mirror not at
// all, since it is refilled.
const (
	usingText = "%[1]s::text::%[2]s"
	usingNone = "NULL::%[2]s"
)

func (db *database) repairTable(tx *sql.Tx, t *table, f *actual) error {
	if f == nil {
		if err := execAll(tx, t.create("")); err != nil {
			return err
		}
		return db.setLacking(tx, t)
	}
	if !t.lossy(f) {
		return db.reshape(tx, t, f, usingText)
	}
	using := usingText
	if t.mode == Mirror {
		using = usingNone
		if err := db.empty(tx, t, f); err != nil {
			return err
		}
	}
	if err := db.reshape(tx, t, f, using); err != nil {
		return err
	}
	return db.setLacking(tx, t)
}

// setLacking records that a table lacks rows of all partitions.
func (db *database) setLacking(tx *sql.Tx, t *table) error {
	if db.partitions > 1 {
		if _, err := tx.Exec(`UPDATE gospaces.kinds SET complete = false
			WHERE space = $1 AND partition <> $2 AND table_name = $3 AND dropped_at IS NULL`,
			db.space, db.partition, t.name); err != nil {
			return fmt.Errorf("kind %q: %w", t.schema.Kind, err)
		}
	}
	return db.setComplete(tx, t, false)
}

// reshape turns f into the table t.
func (db *database) reshape(tx *sql.Tx, t *table, f *actual, using string) error {
	statements := t.alter(f.columns, using)
	if !f.keyed {
		statements = append(statements, "ALTER TABLE "+t.sql()+" ADD PRIMARY KEY ("+quote(entryColumn)+")")
	}
	return execAll(tx, statements)
}

// lossy reports whether the rows of f lack something that those of t have, other than the columns of an archive.
func (t *table) lossy(f *actual) bool {
	return slices.ContainsFunc(t.columns(), func(c column) bool {
		is, ok := f.columns[c.name]
		return !ok && c.name != leftColumn && c.name != howColumn || ok && is != c.sqlType
	})
}

// setComplete records whether the table of a kind has all rows at the position of the mirror.
func (db *database) setComplete(tx *sql.Tx, t *table, complete bool) error {
	n, err := affected(tx.Exec(`UPDATE gospaces.kinds SET complete = $4
		WHERE space = $1 AND partition = $2 AND kind = $3`, db.space, db.partition, int64(t.kind), complete))
	if err == nil && n != 1 {
		err = errors.New("the kind is not in gospaces.kinds")
	}
	if err != nil {
		return fmt.Errorf("kind %q: %w", t.schema.Kind, err)
	}
	if complete {
		delete(db.incomplete, t.kind)
	} else {
		db.incomplete[t.kind] = true
	}
	return nil
}
