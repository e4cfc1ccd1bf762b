package writeback

import (
	"database/sql"

	"github.com/lib/pq"
)

// savepoint is the only one that is ever set.
const savepoint = "part"

// attempt runs do, whose effect is undone if it returns an error that is a refusal. After another error the transaction is
// lost.
func attempt(tx *sql.Tx, do func() error) error {
	if _, err := tx.Exec(`SAVEPOINT ` + savepoint); err != nil {
		return err
	}
	err := do()
	if err != nil && refusal(err) == nil {
		return err
	}
	if err != nil {
		if _, lost := tx.Exec(`ROLLBACK TO SAVEPOINT ` + savepoint); lost != nil {
			return lost
		}
	}
	if _, lost := tx.Exec(`RELEASE SAVEPOINT ` + savepoint); lost != nil {
		return lost
	}
	return err
}

// isolate runs do for items, all at once if the database takes that, and otherwise for ever fewer of them, until it has
// called refuse for each one that the database does not even take alone. So one among n costs about 2·log2(n) calls, and
// the work of two or three.
func isolate[T any](tx *sql.Tx, items []T, do func([]T) error, refuse func(T, *pq.Error)) error {
	if len(items) == 0 {
		return nil
	}
	err := attempt(tx, func() error { return do(items) })
	why := refusal(err)
	switch {
	case why == nil:
		return err
	case len(items) == 1:
		refuse(items[0], why)
		return nil
	}
	half := len(items) / 2
	if err := isolate(tx, items[:half], do, refuse); err != nil {
		return err
	}
	return isolate(tx, items[half:], do, refuse)
}
