package writeback

import (
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/lib/pq"
)

// part is the share of a batch for one lane.
type part struct {
	db       *database
	b        *batch
	from, to uint64 // of the whole batch

	done effect
	err  error
}

// writeAll writes parts concurrently and returns when all are committed or have failed.
func writeAll(parts []*part, isolating bool) {
	var all sync.WaitGroup
	for _, p := range parts {
		all.Go(func() { p.done, p.err = p.write(isolating) })
	}
	all.Wait()
}

// write commits the part. While isolating it turns rows that the database refuses for their values into dead letters.
// Its error wraps errBetween if a row is refused because of other rows, or if parts wait for each other.
func (p *part) write(isolating bool) (effect, error) {
	c := &change{db: p.db, isolating: isolating}
	err := p.db.restoring(func() error {
		return p.db.transact(func(tx *sql.Tx) error {
			c.tx = tx
			if err := p.db.hold(tx, p.from, p.to); err != nil {
				return err
			}
			if err := c.rows(p.b); err != nil {
				return err
			}
			return between(c.letters)
		})
	})
	if e, ok := errors.AsType[*pq.Error](err); ok && e.Code == deadlock {
		err = fmt.Errorf("%w: %w", errBetween, err)
	}
	return c.done, err
}

// failure returns the error that decides the fate of the batch: a passing error before a refusal, a refusal before
// none.
func failure(parts []*part) (worst error) {
	for _, p := range parts {
		switch {
		case p.err == nil:
		case refusal(p.err) == nil:
			return p.err
		default:
			worst = p.err
		}
	}
	return worst
}

// refusedParts returns the parts with refused rows.
func refusedParts(parts []*part) []*part {
	var some []*part
	for _, p := range parts {
		if refusal(p.err) != nil {
			some = append(some, p)
		}
	}
	return some
}

// between returns an error that wraps errBetween if one of the letters is about a row that may be refused only because
// rows of other parts are not yet written, or not yet deleted.
func between(letters []letter) error {
	for i := range letters {
		if why := letters[i].why; !alone(why) {
			return fmt.Errorf("%w: %v", errBetween, why)
		}
	}
	return nil
}

// alone reports whether a row is refused for its values, regardless of other rows. For a trigger that is unknown.
func alone(why *pq.Error) bool {
	switch why.Code.Class() {
	case "22", "54":
		return true
	}
	return why.Code == notNullViolation || why.Code == checkViolation
}
