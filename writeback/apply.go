package writeback

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// effect counts the rows changed by a batch.
type effect struct{ written, deleted, renewed, refused uint64 }

func (e *effect) add(more effect) {
	e.written += more.written
	e.deleted += more.deleted
	e.renewed += more.renewed
	e.refused += more.refused
}

// apply brings the database, whose tables are what b needs, from b.from to b.to, in one transaction. If the database
// refuses a row, the transaction is made again row by row, as far as it takes, and stores dead letters instead of what
// is refused. The error wraps errMoved if the database is not at b.from any more, and errDamaged if a table is not as
// it should be.
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

// blame returns err, wrapped with the damage that may have caused it, if any.
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
			// The position comes first: its row lock admits one writer at a time.
			if err := db.advance(tx, b); err != nil {
				return err
			}
			return c.rows(b)
		})
	})
	return c.done, err
}

// advance moves the position to the end of b, and records the kinds that b drops.
func (db *database) advance(tx *sql.Tx, b *batch) error {
	moved, err := affected(tx.Exec(`UPDATE gospaces.positions
		SET position = $1, highest_entry = $2, stamp = $8, updated_at = now()
		WHERE space = $3 AND partition = $4 AND incarnation = $5 AND position = $6 AND ahead = $7`,
		int64(b.to), int64(b.highest), db.space, db.partition, db.incarnation, int64(b.from), int64(db.ahead), b.stamp))
	if err != nil {
		return fmt.Errorf("advance the position: %w", err)
	}
	if moved != 1 {
		return errMoved
	}
	return db.mark(tx, b)
}

// change is the effect of one transaction on the tables.
type change struct {
	db        *database
	tx        *sql.Tx
	isolating bool // rows that the database refuses become dead letters instead of errors
	refused   []refused
	letters   []letter
	attempts  map[uint64]int // earlier attempts to store what a dead letter holds
	done      effect
}

// rows stores the changes of entries, whose tables are ready.
func (c *change) rows(b *batch) error {
	if c.isolating {
		// Otherwise a deferred constraint would fail only at commit, when it no longer tells which row it refused.
		if _, err := c.tx.Exec(`SET CONSTRAINTS ALL IMMEDIATE`); err != nil {
			return err
		}
	}
	gone, patched, err := c.resolve(b)
	if err != nil {
		return err
	}
	steps, err := c.steps(b, gone, patched)
	if err != nil {
		return err
	}
	for _, s := range steps {
		if err := c.run(s); err != nil {
			return fmt.Errorf("%s rows of %s: %w", s.action, s.t.sql(), err)
		}
	}
	if err := c.again(); err != nil {
		return err
	}
	return c.bury()
}

// resolve updates the dead letters of entries that b changes. It returns the entries whose rows must be deleted, and
// those whose rows must be patched.
func (c *change) resolve(b *batch) (gone, patched []uint64, err error) {
	gone, patched = slices.Sorted(maps.Keys(b.gone)), slices.Sorted(maps.Keys(b.patches))
	if c.db.letters == 0 {
		return gone, patched, nil
	}
	if gone, err = c.lettersLeft(b, gone); err != nil {
		return nil, nil, fmt.Errorf("update dead letters: %w", err)
	}
	if err = c.dropLetters(append(b.replaced(), gone...)); err != nil {
		return nil, nil, err
	}
	return gone, patched, c.renewLetters(b, patched)
}
