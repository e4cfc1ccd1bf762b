package writeback

import (
	"cmp"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/gospaces/gospaces/template"
)

// effect counts rows.
type effect struct{ written, deleted, renewed uint64 }

// apply brings the database from b.from to b.to, in one transaction. Its error wraps errMoved if the database is not at
// b.from any more.
func (db *database) apply(b *batch) (effect, error) {
	var done effect
	err := db.transact(func(tx *sql.Tx) (err error) {
		// The position first: its row lock lets one writer at a time go on.
		if err = db.advance(tx, b); err != nil {
			return err
		}
		if err = db.define(tx, b); err != nil {
			return err
		}
		if done.deleted, err = db.delete(tx, b.gone); err != nil {
			return err
		}
		if done.renewed, err = db.renew(tx, b.renewed); err != nil {
			return err
		}
		done.written, err = db.store(b.puts)
		return err
	})
	if err != nil {
		return effect{}, fmt.Errorf("groups %d to %d of the log: %w", b.from+1, b.to, err)
	}
	return done, nil
}

func (db *database) advance(tx *sql.Tx, b *batch) error {
	moved, err := affected(tx.Exec(`UPDATE gospaces.positions SET position = $1, highest_entry = $2, updated_at = now()
		WHERE space = $3 AND partition = $4 AND incarnation = $5 AND position = $6`,
		int64(b.to), int64(b.highest), db.space, partition, db.incarnation, int64(b.from)))
	if err != nil {
		return fmt.Errorf("advance the position: %w", err)
	}
	if moved != 1 {
		return errMoved
	}
	return nil
}

// define makes the tables what b needs them to be.
func (db *database) define(tx *sql.Tx, b *batch) error {
	for _, kind := range slices.Sorted(maps.Keys(b.kinds)) {
		if err := db.defineKind(tx, kind, b.kinds[kind]); err != nil {
			return fmt.Errorf("kind %q: %w", b.kinds[kind].Kind, err)
		}
	}
	for i := range b.puts {
		p := &b.puts[i]
		t := db.tables[p.kind]
		if t == nil {
			return fmt.Errorf("entry %d is of kind %d, which the log does not define", p.entry, p.kind)
		}
		if p.dead {
			continue
		}
		if wide := t.widened(p.row); wide != t {
			if err := db.change(tx, t, wide); err != nil {
				return fmt.Errorf("kind %q: %w", t.schema.Kind, err)
			}
		}
	}
	return nil
}

// defineKind creates the table of a kind, or adds what its schema has got.
func (db *database) defineKind(tx *sql.Tx, kind uint32, schema *template.Schema) error {
	old := db.tables[kind]
	if old == nil {
		return db.create(tx, kind, schema)
	}
	merged, err := old.schema.Merge(schema) // not schema itself: old may have wider classes
	if err != nil || merged == old.schema {
		return err
	}
	return db.change(tx, old, newTable(kind, old.name, merged))
}

// create makes the table of a new kind.
func (db *database) create(tx *sql.Tx, kind uint32, schema *template.Schema) error {
	name, err := db.freeName(tx, schema.Kind)
	if err != nil {
		return err
	}
	t := newTable(kind, db.qualified(name), schema)
	if err := execAll(tx, append(t.create(), t.alter(nil)...)); err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO gospaces.kinds (space, kind, name, table_name, definition) VALUES ($1, $2, $3, $4, $5)`,
		db.space, int64(kind), string(clean([]byte(schema.Kind))), name, template.AppendSchema(nil, schema))
	db.tables[kind] = t
	return err
}

// change turns the table of a kind from old into t.
func (db *database) change(tx *sql.Tx, old, t *table) error {
	if err := execAll(tx, t.alter(old)); err != nil {
		return err
	}
	_, err := tx.Exec(`UPDATE gospaces.kinds SET definition = $3 WHERE space = $1 AND kind = $2`,
		db.space, int64(t.kind), template.AppendSchema(nil, t.schema))
	db.tables[t.kind] = t
	return err
}

// delete removes the rows of entries. The log does not tell of what kind they were, so tables are asked one after the
// other, those first that most was removed from so far, until all are found.
func (db *database) delete(tx *sql.Tx, gone map[uint64]struct{}) (uint64, error) {
	if len(gone) == 0 {
		return 0, nil
	}
	ids := appendArray(nil, slices.Sorted(maps.Keys(gone)), func(dst []byte, entry uint64) []byte {
		return strconv.AppendInt(dst, entryKey(entry), 10)
	})
	byRemovals := func(a, b *table) int {
		return cmp.Or(cmp.Compare(db.removals[b.kind], db.removals[a.kind]), cmp.Compare(a.kind, b.kind))
	}
	var deleted uint64
	for _, t := range slices.SortedFunc(maps.Values(db.tables), byRemovals) {
		n, err := affected(tx.Exec(`DELETE FROM `+t.name+` WHERE `+quote(entryColumn)+` = ANY ($1::bigint[])`, string(ids)))
		if err != nil {
			return 0, fmt.Errorf("delete from %s: %w", t.name, err)
		}
		db.removals[t.kind] += n
		if deleted += n; deleted == uint64(len(gone)) {
			break
		}
	}
	return deleted, nil
}

// renew sets the expiry of entries, as far as they are entries.
func (db *database) renew(tx *sql.Tx, renewed map[uint64]int64) (uint64, error) {
	if len(renewed) == 0 {
		return 0, nil
	}
	entries := slices.Sorted(maps.Keys(renewed))
	ids := appendArray(nil, entries, func(dst []byte, entry uint64) []byte {
		return strconv.AppendInt(dst, entryKey(entry), 10)
	})
	expiries := appendArray(nil, entries, func(dst []byte, entry uint64) []byte {
		return appendExpiryElement(dst, renewed[entry])
	})
	var total uint64
	for _, kind := range slices.Sorted(maps.Keys(db.tables)) {
		t := db.tables[kind]
		n, err := affected(tx.Exec(`UPDATE `+t.name+` AS t SET `+quote(expiresColumn)+` = r.expires
			FROM unnest($1::bigint[], $2::timestamptz[]) AS r (id, expires) WHERE t.`+quote(entryColumn)+` = r.id`, string(ids), string(expiries)))
		if err != nil {
			return 0, fmt.Errorf("update %s: %w", t.name, err)
		}
		if total += n; total == uint64(len(renewed)) {
			break
		}
	}
	return total, nil
}
