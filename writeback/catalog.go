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

// The catalog identifies the mirror after a restart: the log it mirrors and up to which position, and the kinds. It is
// changed only in the transaction of the rows that go with the change.
var catalogTables = []string{
	`CREATE TABLE IF NOT EXISTS gospaces.positions (
		space         text NOT NULL,
		partition     int NOT NULL,
		incarnation   text NOT NULL,
		position      bigint NOT NULL,
		highest_entry bigint NOT NULL,
		updated_at    timestamptz NOT NULL DEFAULT now(),
		ahead         bigint NOT NULL DEFAULT 0,
		stamp         bigint NOT NULL DEFAULT 0,
		partitions    int NOT NULL DEFAULT 1,
		PRIMARY KEY (space, partition))`,
	`CREATE TABLE IF NOT EXISTS gospaces.kinds (
		space      text NOT NULL,
		partition  int NOT NULL DEFAULT 0,
		kind       bigint NOT NULL,
		name       text NOT NULL,
		table_name text NOT NULL,
		definition bytea NOT NULL,
		mode       text NOT NULL DEFAULT 'mirror',
		complete   boolean NOT NULL DEFAULT true,
		dropped_at timestamptz,
		PRIMARY KEY (space, partition, kind))`,
}

// catalogLock prevents two writers from creating the catalog at the same time, which PostgreSQL does not do by itself.
const catalogLock = 0x676f737061636573

// load creates what the mirror lacks and reads its state.
func (db *database) load() error {
	var there bool
	err := db.transact(func(tx *sql.Tx) (err error) {
		there, err = db.hasCatalog(tx)
		return err
	})
	if err == nil && !there {
		err = db.transact(db.makeCatalog) // in its own transaction, since other spaces wait for it
	}
	if err != nil {
		return err
	}
	return db.transact(func(tx *sql.Tx) error {
		for _, step := range []func(*sql.Tx) error{
			db.loadPosition, db.loadKinds, db.settleModes, db.repair, db.rank,
			db.countLetters,
		} {
			if err := step(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

// hasCatalog reports whether makeCatalog has nothing to do.
func (db *database) hasCatalog(tx *sql.Tx) (there bool, err error) {
	err = tx.QueryRow(`SELECT count(*) = 3 FROM unnest(ARRAY['gospaces.positions', 'gospaces.kinds', $1]) AS name
		WHERE to_regclass(name) IS NOT NULL`,
		lettersName(db.space)).Scan(&there)
	if err != nil {
		err = fmt.Errorf("look for the catalog: %w", err)
	}
	return there, err
}

func (db *database) makeCatalog(tx *sql.Tx) error {
	if _, err := tx.Exec(`SELECT pg_advisory_xact_lock($1)`, int64(catalogLock)); err != nil {
		return fmt.Errorf("lock the catalog: %w", err)
	}
	for _, schema := range []string{"gospaces", schemaName(db.space)} {
		if err := makeSchema(tx, schema); err != nil {
			return fmt.Errorf("create schema %s: %w", schema, err)
		}
	}
	for _, create := range append(catalogTables, makeLetters(db.space)) {
		if _, err := tx.Exec(create); err != nil {
			return fmt.Errorf("create the catalog: %w", err)
		}
	}
	return nil
}

// makeSchema creates a schema if it does not exist. It checks first: CREATE SCHEMA IF NOT EXISTS needs the right to
// create schemas even if the schema exists.
func makeSchema(tx *sql.Tx, name string) error {
	var exists bool
	if err := tx.QueryRow(`SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, name).Scan(&exists); err != nil ||
		exists {
		return err
	}
	_, err := tx.Exec(`CREATE SCHEMA ` + quote(name))
	return err
}

// loadPosition reads the position of the mirror; a new mirror is at the beginning of the log.
func (db *database) loadPosition(tx *sql.Tx) error {
	var incarnation string
	var position, highest, ahead int64
	partitions := db.partitions
	err := tx.QueryRow(`SELECT incarnation, position, highest_entry, ahead, stamp, partitions FROM gospaces.positions
		WHERE space = $1 AND partition = $2`,
		db.space, db.partition).Scan(&incarnation, &position, &highest, &ahead, &db.stamp, &partitions)
	if errors.Is(err, sql.ErrNoRows) {
		incarnation, err = db.incarnation, db.begin(tx)
	}
	if err != nil {
		return fmt.Errorf("read the position: %w", err)
	}
	db.position, db.highest, db.ahead = uint64(position), uint64(highest), uint64(ahead)
	if partitions != db.partitions && incarnation == db.incarnation {
		return fmt.Errorf("%w: it mirrors a space %q of %d partitions, and this one has %d", ErrOtherLog, db.space,
			partitions, db.partitions)
	}
	if incarnation == db.incarnation {
		return nil
	}
	if inherited, err := db.inherit(tx, incarnation); inherited || err != nil {
		return err
	}
	return fmt.Errorf("%w: it mirrors incarnation %s of space %q up to position %d, and the log is incarnation %s: "+
		"give the space back its log, or make it what the tables hold (gospaces load), or use another database, "+
		"or drop this mirror (schema %s and the rows of the space in gospaces.positions and gospaces.kinds)",
		ErrOtherLog, incarnation, db.space, position, db.incarnation, quote(schemaName(db.space)))
}

// begin stores that the mirror is at the beginning of the log. If it has tables nevertheless, their position is
// unknown.
func (db *database) begin(tx *sql.Tx) error {
	_, err := tx.Exec(`INSERT INTO gospaces.positions (space, partition, incarnation, position, highest_entry, partitions)
		VALUES ($1, $2, $3, 0, 0, $4)`,
		db.space, db.partition, db.incarnation, db.partitions)
	if err == nil {
		err = db.distrust(tx)
	}
	if err == nil {
		_, err = tx.Exec(`DELETE FROM ` + lettersName(db.space) + ` WHERE ` + db.own("entry"))
	}
	return err
}

// distrust marks all tables to be refilled, once the kinds are loaded.
func (db *database) distrust(tx *sql.Tx) error {
	_, err := tx.Exec(`UPDATE gospaces.kinds SET complete = false WHERE space = $1 AND partition = $2`, db.space,
		db.partition)
	return err
}

func (db *database) loadKinds(tx *sql.Tx) error {
	rows, err := tx.Query(`SELECT kind, table_name, mode, complete, dropped_at IS NOT NULL, definition
		FROM gospaces.kinds WHERE space = $1 AND partition = $2`, db.space, db.partition)
	if err != nil {
		return fmt.Errorf("read the kinds: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var kind uint32
		var name, mode string
		var complete, dropped bool
		var definition []byte
		if err := rows.Scan(&kind, &name, &mode, &complete, &dropped, &definition); err != nil {
			return fmt.Errorf("read the kinds: %w", err)
		}
		schema, err := template.DecodeSchema(definition)
		if err != nil {
			return fmt.Errorf("read kind %d: %w", kind, err)
		}
		m, err := ParseMode(mode)
		if err != nil {
			return fmt.Errorf("read kind %q: %w", schema.Kind, err)
		}
		t := db.newTable(kind, schema, m, name)
		t.dropped = dropped
		db.tables[kind] = t
		if m != None && !complete && !dropped {
			db.incomplete[kind] = true
		}
	}
	return rows.Err()
}

// settleModes applies the configured modes to the kinds. Rows of kinds that were not mirrored so far are missing.
func (db *database) settleModes(tx *sql.Tx) error {
	for _, t := range db.byKind() {
		mode := db.modes.of(db.space, t.schema.Kind)
		if mode == t.mode || t.dropped {
			continue
		}
		if err := db.switchMode(tx, t, mode); err != nil {
			return fmt.Errorf("kind %q: from mode %v to %v: %w", t.schema.Kind, t.mode, mode, err)
		}
	}
	return nil
}

// switchMode changes the mode of a kind. The table of a kind that is no longer mirrored stays as it is. repair adds the
// columns of an archive.
func (db *database) switchMode(tx *sql.Tx, t *table, mode Mode) error {
	was := t.mode
	t = db.newTable(t.kind, t.schema, mode, t.name)
	if was == None && t.name == "" {
		if err := db.lockKinds(tx); err != nil {
			return err
		}
		if err := db.createTable(tx, t); err != nil {
			return err
		}
	}
	db.tables[t.kind] = t
	switch {
	case was == None:
		db.incomplete[t.kind] = true
	case mode == None:
		delete(db.incomplete, t.kind)
	}
	_, err := tx.Exec(`UPDATE gospaces.kinds SET mode = $4, table_name = $5, complete = $6, definition = $7
		WHERE space = $1 AND partition = $2 AND kind = $3`,
		db.space, db.partition, int64(t.kind), mode.String(), t.name, !db.incomplete[t.kind],
		template.AppendSchema(nil, t.schema))
	return err
}

// byKind returns the tables in the order of their kinds, including those without rows.
func (db *database) byKind() []*table {
	return slices.SortedFunc(maps.Values(db.tables), func(a, b *table) int { return cmp.Compare(a.kind, b.kind) })
}

// incompleteTables returns the names of the tables that lack rows.
func (db *database) incompleteTables() []string {
	var names []string
	for _, t := range db.stored() {
		if db.incomplete[t.kind] {
			names = append(names, t.sql())
		}
	}
	return names
}

// stored returns the tables that are mirrored or archived, in the order of their kinds.
func (db *database) stored() []*table {
	return slices.DeleteFunc(db.byKind(), func(t *table) bool { return t.mode == None || t.dropped })
}

// kindModes returns the modes of the known kinds, none for dropped ones, and the rule for unknown kinds.
func (db *database) kindModes() *kindModes {
	m := &kindModes{
		byKind: make(map[uint32]Mode), dropped: make(map[uint32]bool),
		choose: func(_ uint32, name string) Mode { return db.modes.of(db.space, name) },
	}
	for kind, t := range db.tables {
		m.dropped[kind] = t.dropped
		m.set(kind, t.mode)
	}
	return m
}

// lockPosition waits for other writers, and blocks them until the transaction ends. It returns errMoved if the position
// has changed.
func (db *database) lockPosition(tx *sql.Tx) error {
	var position int64
	err := tx.QueryRow(`SELECT position FROM gospaces.positions WHERE space = $1 AND partition = $2 FOR UPDATE`, db.space,
		db.partition).Scan(&position)
	if err != nil {
		return fmt.Errorf("lock the position: %w", err)
	}
	if uint64(position) != db.position {
		return errMoved
	}
	return nil
}
