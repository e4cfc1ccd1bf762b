package writeback

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/lib/pq"
)

// The table of a dropped kind is removed in two steps. The transaction that moves the position past the record marks
// the kind in gospaces.kinds (mark). A separate transaction for each table, which waits for a lock only briefly, then
// drops the table if it is empty and nothing depends on it, or else renames it. After an interruption the mirror finds
// the remaining work in gospaces.kinds. The row stays there, because load must know which kind numbers are in use.

// droppedComment begins the comment of a table that was set aside: it belongs to no kind any more.
const droppedComment = "dropped "

// mark records the kinds that b drops.
func (db *database) mark(tx *sql.Tx, b *batch) error {
	if len(b.dropped) == 0 {
		return nil
	}
	if _, err := tx.Exec(`UPDATE gospaces.kinds SET dropped_at = now()
		WHERE space = $1 AND partition = $2 AND kind = ANY ($3::bigint[]) AND dropped_at IS NULL`,
		db.space, db.partition, kindArray(b.dropped)); err != nil {
		return fmt.Errorf("drop kinds: %w", err)
	}
	for _, kind := range b.dropped {
		t := db.tables[kind]
		if t == nil {
			return fmt.Errorf("drop kind %d: %w", kind, errUndefined)
		}
		db.tables[kind] = t.drop()
		delete(db.incomplete, kind)
	}
	return nil
}

// drop returns the table as that of a dropped kind.
func (t *table) drop() *table {
	dropped := *t
	dropped.dropped = true
	return &dropped
}

// leave adds to wanted the tables that the kinds dropped by b affect: their own, and those of earlier dropped kinds
// whose names new kinds need. A new kind that b drops gets no table, unless b has rows for it: those of an archive.
func (db *database) leave(wanted map[uint32]*table, b *batch, used map[uint32]bool) {
	leaving := make(map[uint32]bool)
	for _, kind := range b.dropped {
		leaving[kind] = true
		if t := wanted[kind]; t != nil && db.tables[kind] == nil {
			t = t.drop()
			t.dropped, t.aside = !used[kind], used[kind]
			wanted[kind] = t
		}
	}
	coming := make(names)
	for kind, t := range wanted {
		if db.tables[kind] == nil && t.mode != None && !leaving[kind] {
			coming[t.schema.Kind] = true
		}
	}
	if len(coming) == 0 {
		return
	}
	for kind, t := range db.tables {
		if coming[t.name] && (t.dropped || leaving[kind]) {
			aside := *t
			if w := wanted[kind]; w != nil {
				aside = *w
			}
			aside.aside = true
			wanted[kind] = &aside
		}
	}
}

// unfinished returns the tables of dropped kinds that are neither dropped nor set aside yet.
func (db *database) unfinished() []*table {
	var tables []*table
	for _, t := range db.byKind() {
		if t.dropped && t.name != "" && !t.kept {
			tables = append(tables, t)
		}
	}
	return tables
}

// dropTable drops the table of a dropped kind, or sets it aside. kept is the reason why the table was not dropped, if
// it must stay.
func (db *database) dropTable(t *table) (kept, err error) {
	finish := func(finish func(*sql.Tx, *table) error) error {
		return db.restoring(func() error {
			return db.transact(func(tx *sql.Tx) error {
				if err := hurry(tx); err != nil {
					return err
				}
				return finish(tx, t)
			})
		})
	}
	if kept = finish(db.tryDrop); kept == nil || !lasting(kept) {
		return nil, kept
	}
	if err = finish(db.setAside); err != nil && !lasting(err) {
		return nil, err
	}
	settled := *db.tables[t.kind]
	settled.kept = true
	db.tables[t.kind] = &settled
	return errors.Join(kept, err), nil
}

// errUsed means that a table has rows or dead letters that the space does not have.
var errUsed = errors.New("it has rows, or dead letters")

// lasting reports whether err would occur again on every attempt.
func lasting(err error) bool {
	if errors.Is(err, errUsed) {
		return true
	}
	e, ok := errors.AsType[*pq.Error](err)
	if !ok {
		return false
	}
	switch e.Code.Class() {
	case "2B", "42": // something depends on it, or a right is missing, or it is not a table any more
		return true
	}
	return false
}

func (db *database) tryDrop(tx *sql.Tx, t *table) error {
	if left, err := db.tryLeave(tx, t); left || err != nil {
		return err
	}
	if err := db.renameKind(tx, t, ""); err != nil {
		return err
	}
	var there, used bool
	if err := tx.QueryRow(`SELECT to_regclass($1) IS NOT NULL`, t.sql()).Scan(&there); err != nil || !there {
		return err
	}
	if _, err := tx.Exec(`LOCK TABLE ` + t.sql()); err != nil {
		return err
	}
	err := tx.QueryRow(`SELECT EXISTS (SELECT FROM `+t.sql()+`)
		OR EXISTS (SELECT FROM `+lettersName(db.space)+` WHERE kind_number = $1 AND `+db.own("entry")+`)`,
		int64(t.kind)).Scan(&used)
	if err != nil {
		return err
	}
	if used {
		return errUsed
	}
	_, err = tx.Exec(`DROP TABLE ` + t.sql())
	return err
}

// tryLeave leaves the table of a dropped kind to the other partitions that have it, if there are any.
func (db *database) tryLeave(tx *sql.Tx, t *table) (left bool, err error) {
	if err := db.lockKinds(tx); err != nil {
		return false, err
	}
	if left, err = db.shared(tx, t); !left || err != nil {
		return false, err
	}
	if err := db.renameKind(tx, t, ""); err != nil {
		return false, err
	}
	db.tables[t.kind].left = true
	return true, nil
}

// renameKind records the new name of the table of a dropped kind, or "".
func (db *database) renameKind(tx *sql.Tx, t *table, name string) error {
	moved, err := affected(tx.Exec(`UPDATE gospaces.kinds SET table_name = $4
		WHERE space = $1 AND partition = $2 AND kind = $3 AND table_name = $5`, db.space, db.partition, int64(t.kind), name,
		t.name))
	if err == nil && moved != 1 {
		err = errMoved
	}
	if err != nil {
		return fmt.Errorf("rename kind %q: %w", t.schema.Kind, err)
	}
	renamed := *t
	renamed.name, db.surveyed = name, nil
	db.tables[t.kind] = &renamed
	return nil
}

// setAside renames the table of a dropped kind to a name that says so, unless it has such a name, or other partitions
// have it.
func (db *database) setAside(tx *sql.Tx, t *table) error {
	suffix := t.asideSuffix()
	if strings.HasSuffix(t.name, suffix) {
		return nil
	}
	if err := db.lockKinds(tx); err != nil {
		return err
	}
	if shared, err := db.shared(tx, t); shared || err != nil {
		return err
	}
	s, err := db.survey(tx)
	if err != nil {
		return err
	}
	aside := *t
	aside.aside, aside.name = true, s.names.pickWith(t.schema.Kind, suffix)
	if err := execAll(tx,
		append([]string{"ALTER TABLE " + t.sql() + " RENAME TO " + quote(aside.name)}, aside.label()...)); err != nil {
		return err
	}
	return db.renameKind(tx, t, aside.name)
}

// asideSuffix is the end of the name of a table that was set aside. Kind numbers of a partition are never reused, so
// the name is unique.
func (t *table) asideSuffix() string {
	suffix := "_dropped_"
	if t.partition > 0 {
		suffix += strconv.Itoa(t.partition) + "_"
	}
	return suffix + strconv.FormatUint(uint64(t.kind), 10)
}
