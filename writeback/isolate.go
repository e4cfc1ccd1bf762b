package writeback

import (
	"database/sql"
	"slices"

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

// fanout is into how many parts isolate divides what was refused: with more of them, less is done twice, by more statements.
const fanout = 16

// isolate runs do for parts of items, and for parts of those parts that the database refuses, until it has called refuse for each item
// that the database does not even take alone. So one among n costs little more than the work of all, in some fanout·log n statements.
func isolate[T any](tx *sql.Tx, items []T, do func([]T) error, refuse func(T, *pq.Error)) error {
	for part := range slices.Chunk(items, (len(items)+fanout-1)/fanout) {
		err := attempt(tx, func() error { return do(part) })
		why := refusal(err)
		switch {
		case err == nil:
		case why == nil:
			return err
		case len(part) == 1:
			refuse(part[0], why)
		default:
			if err := isolate(tx, part, do, refuse); err != nil {
				return err
			}
		}
	}
	return nil
}
