package writeback

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lib/pq"

	"github.com/gospaces/gospaces/template"
)

// effect counts rows.
type effect struct{ written, deleted, renewed, refused uint64 }

func (e *effect) add(more effect) {
	e.written += more.written
	e.deleted += more.deleted
	e.renewed += more.renewed
	e.refused += more.refused
}

// apply brings the database from b.from to b.to, in one transaction. If the database refuses a row, the transaction is
// tried again row by row, as far as it takes, and stores dead letters instead of what is refused. The error wraps errMoved if
// the database is not at b.from any more, and errDamaged if a table is not as it should be.
func (db *database) apply(b *batch) (effect, error) {
	done, err := db.tryApply(b, false)
	err = db.blame(err)
	if refusal(err) != nil && !errors.Is(err, errDamaged) {
		done, err = db.tryApply(b, true)
	}
	if err != nil {
		return effect{}, fmt.Errorf("groups %d to %d of the log: %w", b.from+1, b.to, err)
	}
	return done, nil
}

// blame returns err, and what is damaged, wrapped with it, if that may be the reason.
func (db *database) blame(err error) error {
	if !misfit(err) {
		return err
	}
	if damage := db.inspect(); damage != nil {
		return fmt.Errorf("%w: %w", damage, err)
	}
	return err
}

func (db *database) tryApply(b *batch, isolating bool) (effect, error) {
	c := &change{db: db, isolating: isolating}
	err := db.restoring(func() error {
		return db.transact(func(tx *sql.Tx) error {
			c.tx = tx
			// The position first: its row lock lets one writer at a time go on.
			if err := db.advance(tx, b); err != nil {
				return err
			}
			if err := c.define(b); err != nil {
				return err
			}
			return c.rows(b)
		})
	})
	return c.done, err
}

func (db *database) advance(tx *sql.Tx, b *batch) error {
	moved, err := affected(tx.Exec(`UPDATE gospaces.positions SET position = $1, highest_entry = $2, stamp = $8, updated_at = now()
		WHERE space = $3 AND partition = $4 AND incarnation = $5 AND position = $6 AND ahead = $7`,
		int64(b.to), int64(b.highest), db.space, partition, db.incarnation, int64(b.from), int64(db.ahead), b.stamp))
	if err != nil {
		return fmt.Errorf("advance the position: %w", err)
	}
	if moved != 1 {
		return errMoved
	}
	return nil
}

// change is what one transaction does to the tables.
type change struct {
	db        *database
	tx        *sql.Tx
	isolating bool     // what the database refuses becomes a dead letter instead of an error
	tables    []*table // that it looks for entries in
	letters   []letter
	attempts  map[uint64]int // to store what a dead letter held, before this one
	done      effect
}

// rows stores what b says of entries, whose tables are defined.
func (c *change) rows(b *batch) error {
	if c.isolating {
		// What a deferred constraint refuses would otherwise be known only when it is too late to tell which row it was.
		if _, err := c.tx.Exec(`SET CONSTRAINTS ALL IMMEDIATE`); err != nil {
			return err
		}
	}
	if c.tables == nil {
		c.tables = c.db.byRemovals()
	}
	if err := c.delete(b); err != nil {
		return err
	}
	if err := c.renew(b); err != nil {
		return err
	}
	if err := c.store(b.puts); err != nil {
		return err
	}
	c.done.refused += uint64(len(c.letters))
	return c.bury()
}

// each runs do for items: for all of them at once, or isolating those that the database refuses. do returns how many rows
// it has affected, and each the sum of it.
func each[T any](c *change, items []T, do func([]T) (uint64, error), refuse func(T, *pq.Error)) (total uint64, err error) {
	if len(items) == 0 {
		return 0, nil
	}
	if !c.isolating {
		return do(items)
	}
	err = isolate(c.tx, items, func(part []T) error {
		n, err := do(part)
		if err == nil {
			total += n
		}
		return err
	}, refuse)
	return total, err
}

// byRemovals returns the tables, those first that most was removed from so far.
func (db *database) byRemovals() []*table {
	tables := db.stored()
	slices.SortFunc(tables, func(a, b *table) int {
		return cmp.Or(cmp.Compare(db.removals[b.kind], db.removals[a.kind]), cmp.Compare(a.kind, b.kind))
	})
	return tables
}

// delete removes the rows of entries that are gone or replaced. The log does not tell of what kind they were, so tables are
// asked one after the other until all are found. In an archive those that are gone stay, and get the time.
func (c *change) delete(b *batch) error {
	replaced, gone, found, err := c.resolve(b)
	if err != nil {
		return err
	}
	all := slices.Concat(replaced, gone)
	for _, t := range c.tables {
		if found >= uint64(len(all)) {
			break
		}
		ids := all
		if t.mode == Append {
			n, err := c.leave(t, b, gone)
			if err != nil {
				return err
			}
			found, ids = found+n, replaced
		}
		n, err := c.deleteFrom(t, ids)
		if err != nil {
			return err
		}
		found += n
	}
	return nil
}

// deleteFrom deletes the rows of entries from one table and returns how many of them are there.
func (c *change) deleteFrom(t *table, entries []uint64) (uint64, error) {
	refused := uint64(0)
	n, err := each(c, entries, func(part []uint64) (uint64, error) {
		return affected(c.tx.Exec(`DELETE FROM `+t.sql()+` WHERE `+quote(entryColumn)+` = ANY ($1::bigint[])`, idArray(part)))
	}, func(entry uint64, why *pq.Error) {
		refused++
		c.refuse(put{entry: entry, kind: t.kind}, removeAction, why)
	})
	if err != nil {
		return 0, fmt.Errorf("delete from %s: %w", t.sql(), err)
	}
	c.db.removals[t.kind] += n
	c.done.deleted += n
	return n + refused, nil
}

// leave notes in an archive that entries have left, and returns how many of them are there.
func (c *change) leave(t *table, b *batch, entries []uint64) (uint64, error) {
	refused := uint64(0)
	n, err := each(c, entries, func(part []uint64) (uint64, error) {
		return affected(c.tx.Exec(`UPDATE `+t.sql()+` AS t SET `+quote(leftColumn)+` = g.at, `+quote(howColumn)+` = g.how
			FROM unnest($1::bigint[], $2::timestamptz[], $3::text[]) AS g (id, at, how) WHERE t.`+quote(entryColumn)+` = g.id`,
			idArray(part), b.leftArray(part), b.howArray(part)))
	}, func(entry uint64, why *pq.Error) {
		refused++
		c.refuse(put{entry: entry, kind: t.kind, left: b.gone[entry]}, removeAction, why)
	})
	if err != nil {
		return 0, fmt.Errorf("update %s: %w", t.sql(), err)
	}
	c.db.removals[t.kind] += n
	return n + refused, nil
}

// renew sets the expiry of entries, as far as they are entries.
func (c *change) renew(b *batch) error {
	entries, err := c.renewLetters(b)
	if err != nil {
		return err
	}
	found := uint64(0)
	for _, t := range c.tables {
		n, err := each(c, entries, func(part []uint64) (uint64, error) {
			return affected(c.tx.Exec(`UPDATE `+t.sql()+` AS t SET `+quote(expiresColumn)+` = r.expires
				FROM unnest($1::bigint[], $2::timestamptz[]) AS r (id, expires) WHERE t.`+quote(entryColumn)+` = r.id`,
				idArray(part), b.expiryArray(part)))
		}, func(entry uint64, why *pq.Error) {
			c.refuse(put{entry: entry, kind: t.kind, expires: b.renewed[entry]}, renewAction, why)
		})
		if err != nil {
			return fmt.Errorf("update %s: %w", t.sql(), err)
		}
		c.done.renewed += n
		if found += n; found >= uint64(len(entries)) {
			break
		}
	}
	return nil
}

// store adds the rows of puts that are not dead, which have no rows yet.
func (c *change) store(puts []put) error {
	byKind := make(map[uint32][]*put)
	for i := range puts {
		if p := &puts[i]; !p.dead {
			byKind[p.kind] = append(byKind[p.kind], p)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		t := c.db.tables[kind]
		n, err := each(c, byKind[kind], func(part []*put) (uint64, error) {
			return uint64(len(part)), c.db.copyIn(t.copyStatement(), len(part), func(dst []byte, i int) []byte { return t.appendLine(dst, part[i]) })
		}, func(p *put, why *pq.Error) {
			c.refuse(*p, storeAction, why)
		})
		if err != nil {
			return fmt.Errorf("copy into %s: %w", t.sql(), err)
		}
		c.done.written += n
	}
	return nil
}

// define makes the tables what b needs them to be.
func (c *change) define(b *batch) error {
	db := c.db
	for _, kind := range slices.Sorted(maps.Keys(b.kinds)) {
		if err := db.defineKind(c.tx, kind, b.kinds[kind]); err != nil {
			return fmt.Errorf("kind %q: %w", b.kinds[kind].Kind, err)
		}
	}
	for i := range b.puts {
		p := &b.puts[i]
		t := db.tables[p.kind]
		if t == nil {
			return fmt.Errorf("entry %d is of kind %d: %w", p.entry, p.kind, errUndefined)
		}
		if p.dead {
			continue
		}
		if wide := t.widened(p.row); wide != t {
			if err := db.change(c.tx, t, wide); err != nil {
				return fmt.Errorf("kind %q: %w", t.schema.Kind, err)
			}
		}
	}
	return nil
}

// defineKind makes a kind known and creates its table, or adds what its schema has got.
func (db *database) defineKind(tx *sql.Tx, kind uint32, schema *template.Schema) error {
	old := db.tables[kind]
	if old == nil {
		return db.create(tx, kind, schema)
	}
	merged, err := old.schema.Merge(schema) // not schema itself: old may have wider classes
	if err != nil || merged == old.schema {
		return err
	}
	return db.change(tx, old, old.with(merged))
}

// create makes a new kind known, and its table, if it is to have one.
func (db *database) create(tx *sql.Tx, kind uint32, schema *template.Schema) error {
	t := newTable(kind, schema, db.modes.of(db.space, schema.Kind), schemaName(db.space), "")
	if t.mode != None {
		if err := db.createTable(tx, t); err != nil {
			return err
		}
	}
	_, err := tx.Exec(`INSERT INTO gospaces.kinds (space, kind, name, table_name, mode, definition) VALUES ($1, $2, $3, $4, $5, $6)`,
		db.space, int64(kind), clearText(schema.Kind), t.name, t.mode.String(), template.AppendSchema(nil, schema))
	db.tables[kind] = t
	return err
}

// createTable makes the table of a kind that has none, under a name that is free.
func (db *database) createTable(tx *sql.Tx, t *table) error {
	if adopted, err := db.adopt(tx, t); adopted || err != nil {
		return err
	}
	var err error
	if t.name, err = db.freeName(tx, t.schema.Kind); err != nil {
		return err
	}
	return execAll(tx, t.create())
}

// change turns the table of a kind from old into t.
func (db *database) change(tx *sql.Tx, old, t *table) error {
	if t.mode != None {
		if err := execAll(tx, t.alter(old.shape(), "")); err != nil {
			return err
		}
	}
	_, err := tx.Exec(`UPDATE gospaces.kinds SET definition = $3 WHERE space = $1 AND kind = $2`,
		db.space, int64(t.kind), template.AppendSchema(nil, t.schema))
	db.tables[t.kind] = t
	return err
}
