package writeback

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// refused is an item of a step that the database refuses.
type refused struct {
	step *step
	item *put
	why  *pq.Error
}

// isolatedRows is the number of rows tried at once while looking for refused rows. If one of them is refused, all are
// done one by one, which takes the server about 10 µs a row.
const isolatedRows = 2048

// run takes a step: for all items at once, or isolating refused ones.
func (c *change) run(s *step) error {
	if !c.isolating {
		n, err := c.do(s, s.items)
		s.count(&c.done, n)
		return err
	}
	for part := range slices.Chunk(s.items, isolatedRows) {
		err := attempt(c.tx, func() error {
			n, err := c.do(s, part)
			if err == nil {
				s.count(&c.done, n)
			}
			return err
		})
		if refusal(err) != nil {
			err = c.oneByOne(s, part)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// savepoint is the name of the only savepoint.
const savepoint = "part"

// attempt runs do, and undoes it if it returns a refusal. After another error the transaction is lost.
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

// again retries refused items until no more of them are accepted: the row that an item refers to may have come after
// it, or a row that refers to it may have left after it.
func (c *change) again() error {
	for {
		waiting := c.refused
		retried := make(map[*step][]*put)
		var order []*step
		c.refused = nil
		for _, r := range waiting {
			if alone(r.why) {
				c.refused = append(c.refused, r)
				continue
			}
			if retried[r.step] == nil {
				order = append(order, r.step)
			}
			retried[r.step] = append(retried[r.step], r.item)
		}
		for _, s := range order {
			if err := c.oneByOne(s, retried[s]); err != nil {
				return fmt.Errorf("%s rows of %s again: %w", s.action, s.t.sql(), err)
			}
		}
		if len(c.refused) == len(waiting) {
			return nil
		}
	}
}

// oneByOne takes a step for each item, and records the refused ones. The server runs this as a loop: a statement and a
// savepoint for each row would take a hundred times as long.
func (c *change) oneByOne(s *step, items []*put) error {
	var settings []string
	var args []any
	for i, literal := range s.arrays(items) {
		settings = append(settings, fmt.Sprintf("set_config('gospaces.c%d', $%d, true)", i, i+1))
		args = append(args, literal)
	}
	if _, err := c.tx.Exec("SELECT "+strings.Join(settings, ", "), args...); err != nil {
		return err
	}
	if _, err := c.tx.Exec(s.loop()); err != nil {
		return err
	}
	var report string
	if err := c.tx.QueryRow(`SELECT current_setting('gospaces.report')`).Scan(&report); err != nil {
		return err
	}
	return c.note(s, items, report)
}

// loop returns the statement that takes the step for each row of the arrays in the settings gospaces.c0, gospaces.c1, …
// and leaves in gospaces.report the number of affected rows and the refused items. A passing error ends it.
func (s *step) loop() string {
	var arrays, row []string
	for i, t := range s.types {
		arrays = append(arrays, fmt.Sprintf("current_setting('gospaces.c%d')::%s[]", i, t))
		row = append(row, "r.c"+strconv.Itoa(i))
	}
	return `DO ` + pq.QuoteLiteral(`DECLARE
	r record; code text; message text; detail text;
	n bigint; done bigint := 0; refused text[] := '{}';
BEGIN
	FOR r IN SELECT * FROM unnest(`+strings.Join(arrays, ", ")+`) WITH ORDINALITY AS u (`+s.names("")+`, i) LOOP
		BEGIN
			`+s.statement("(VALUES ("+strings.Join(row, ", ")+")) AS u ("+s.names("")+")", s.names("u."))+`;
			GET DIAGNOSTICS n = ROW_COUNT;
			done := done + n;
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
			IF left(code, 2) = ANY ('{`+strings.Join(passing, ",")+`}') THEN
				RAISE;
			END IF;
			refused := refused || json_build_array(r.i::text, code, message, detail)::text;
		END;
	END LOOP;
	PERFORM set_config('gospaces.report', json_build_object('done', done, 'refused', refused)::text, true);
END`)
}

// note applies the report of a loop.
func (c *change) note(s *step, items []*put, report string) error {
	var r struct {
		Done    uint64   `json:"done"`
		Refused []string `json:"refused"`
	}
	if err := json.Unmarshal([]byte(report), &r); err != nil {
		return fmt.Errorf("the report of refused rows: %w", err)
	}
	s.count(&c.done, r.Done)
	for _, one := range r.Refused {
		var f [4]string
		if err := json.Unmarshal([]byte(one), &f); err != nil {
			return fmt.Errorf("the report of a refused row: %w", err)
		}
		i, err := strconv.Atoi(f[0])
		if err != nil || i < 1 || i > len(items) {
			return fmt.Errorf("the report of refused rows names row %s of %d", f[0], len(items))
		}
		why := &pq.Error{Code: pqerror.Code(f[1]), Message: f[2], Detail: f[3]}
		c.refused = append(c.refused, refused{s, items[i-1], why})
	}
	return nil
}
