package writeback

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
)

// DeadLetter describes a change of one entry that the database has refused. There is at most one for an entry. It is
// deleted once it no longer matters: when the entry has changed again and the database accepts it, or the entry has
// left.
type DeadLetter struct {
	Entry uint64
	Kind  string
	// "store": its row is missing; "replace": its row is an older one; "remove": its row is still there; "renew": its
	// row has another expiry
	Action string

	SQLState  string // the code of PostgreSQL
	Reason    string // PostgreSQL's message
	RefusedAt time.Time
	Attempts  int

	Expires time.Time       // of the entry; zero means never
	Fields  json.RawMessage // of the entry, for "store" and "replace"
}

// DeadLetters gives access to the dead letters of a mirror, whether or not its server runs. Only one goroutine at a
// time may call its methods.
type DeadLetters struct{ db *database }

// OpenDeadLetters connects to the database that mirrors a space. It returns an error that wraps ErrNoMirror if the
// database mirrors no space of that name. When ctx ends the connection is cut. The caller must close it.
func OpenDeadLetters(ctx context.Context, dsn, space string) (*DeadLetters, error) {
	cfg, err := Config{DSN: dsn, Space: space}.withDefaults()
	if err != nil {
		return nil, err
	}
	db, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := db.transact(db.findLetters); err != nil {
		db.close()
		return nil, err
	}
	return &DeadLetters{db}, nil
}

func (db *database) findLetters(tx *sql.Tx) error {
	var exists bool
	err := tx.QueryRow(`SELECT to_regclass($1) IS NOT NULL AND to_regclass('gospaces.kinds') IS NOT NULL`,
		lettersName(db.space)).Scan(&exists)
	if err != nil {
		return fmt.Errorf("look for the mirror: %w", err)
	}
	if !exists {
		return fmt.Errorf("%w: space %q", ErrNoMirror, db.space)
	}
	return nil
}

// Close closes the connection.
func (d *DeadLetters) Close() { d.db.close() }

// All yields the dead letters in the order of their entries, up to the first error.
func (d *DeadLetters) All() iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		rows, err := d.db.conn.QueryContext(context.Background(),
			`SELECT `+shownColumns+` FROM `+lettersName(d.db.space)+` ORDER BY entry`)
		if err != nil {
			yield(DeadLetter{}, fmt.Errorf("list dead letters: %w", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			l, err := scanLetter(rows)
			if !yield(l, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(DeadLetter{}, fmt.Errorf("list dead letters: %w", err))
		}
	}
}

// shownColumns are the columns that scanLetter reads.
const shownColumns = `entry, kind, action, sqlstate, reason, refused_at, attempts, expires, fields`

func scanLetter(rows *sql.Rows) (l DeadLetter, err error) {
	var entry int64
	var expires sql.NullTime
	var fields []byte
	err = rows.Scan(&entry, &l.Kind, &l.Action, &l.SQLState, &l.Reason, &l.RefusedAt, &l.Attempts, &expires, &fields)
	l.Entry, l.Expires, l.Fields = uint64(entry), expires.Time, fields
	return l, err
}

// dropBatch is the number of dead letters that Drop deletes in one transaction.
const dropBatch = 1000

// Drop deletes the dead letters of the given entries, or all of them if none is given, and returns the number deleted.
// It works in batches, by entry: each batch is passed to deliver, and deleted once deliver has returned nil; an error
// of deliver ends Drop. The tables then differ from the space by the changes that were refused, until the entries
// change again or leave.
func (d *DeadLetters) Drop(deliver func([]DeadLetter) error, entries ...uint64) (dropped int, err error) {
	for {
		var batch []DeadLetter
		err := d.db.transact(func(tx *sql.Tx) error {
			if batch, err = deleteLetters(tx, d.db.space, entries); err != nil || len(batch) == 0 {
				return err
			}
			return deliver(batch)
		})
		if err != nil {
			return dropped, fmt.Errorf("drop dead letters: %w", err)
		}
		if dropped += len(batch); len(batch) < dropBatch {
			return dropped, nil
		}
	}
}

// deleteLetters deletes a batch of dead letters and returns it.
func deleteLetters(tx *sql.Tx, space string, entries []uint64) ([]DeadLetter, error) {
	name := lettersName(space)
	rows, err := tx.Query(`DELETE FROM `+name+`
		WHERE entry IN (SELECT entry FROM `+name+` WHERE `+chosen+` ORDER BY entry LIMIT $3 FOR UPDATE)
		RETURNING `+shownColumns, len(entries) == 0, idArray(entries), dropBatch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var letters []DeadLetter
	for rows.Next() {
		l, err := scanLetter(rows)
		if err != nil {
			return nil, err
		}
		letters = append(letters, l)
	}
	slices.SortFunc(letters, func(a, b DeadLetter) int { return cmp.Compare(a.Entry, b.Entry) })
	return letters, rows.Err()
}

// chosen is the condition for the dead letters of the entries $2, or all of them if $1.
const chosen = `$1 OR entry = ANY ($2::bigint[])`

// Retry retries the refused changes of the given entries, or of all entries with dead letters if none is given. It
// returns the number of changes that succeeded, and the number refused again. A server that mirrors the space waits
// meanwhile. Retry is one transaction: after an error nothing has changed.
func (d *DeadLetters) Retry(entries ...uint64) (resolved, refused int, err error) {
	db := d.db
	err = db.restoring(func() error {
		return db.transact(func(tx *sql.Tx) error {
			resolved, refused, err = db.retry(tx, entries)
			return err
		})
	})
	if err != nil {
		return 0, 0, fmt.Errorf("retry dead letters: %w", err)
	}
	return resolved, refused, nil
}

func (db *database) retry(tx *sql.Tx, entries []uint64) (resolved, refused int, err error) {
	// The writers must not change these entries or the kinds now.
	if _, err := tx.Exec(`SELECT FROM gospaces.positions WHERE space = $1 ORDER BY partition FOR UPDATE`,
		db.space); err != nil {
		return 0, 0, fmt.Errorf("lock the position: %w", err)
	}
	if db.partitions, err = db.countPartitions(tx); err != nil {
		return 0, 0, err
	}
	for db.partition = range db.partitions {
		again, not, err := db.retryPartition(tx, entries)
		if err != nil {
			return 0, 0, err
		}
		resolved, refused = resolved+again, refused+not
	}
	return resolved, refused, nil
}

// countPartitions returns the number of partitions of the mirrored space.
func (db *database) countPartitions(tx *sql.Tx) (n int, err error) {
	err = tx.QueryRow(`SELECT coalesce(max(partitions), 1) FROM gospaces.positions WHERE space = $1`, db.space).Scan(&n)
	if err != nil {
		err = fmt.Errorf("count the partitions: %w", err)
	}
	return n, err
}

// retryPartition is retry for the entries of the partition of db.
func (db *database) retryPartition(tx *sql.Tx, entries []uint64) (resolved, refused int, err error) {
	clear(db.tables)
	if err := db.loadKinds(tx); err != nil {
		return 0, 0, err
	}
	if err := db.countLetters(tx); err != nil {
		return 0, 0, err
	}
	return db.retryLetters(tx, entries)
}

// retryLetters retries the dead letters of entries, or all of them if entries is empty. The position is locked.
func (db *database) retryLetters(tx *sql.Tx, entries []uint64) (resolved, refused int, err error) {
	letters, err := db.readLetters(tx, entries)
	if err != nil {
		return 0, 0, err
	}
	c := &change{db: db, tx: tx, isolating: true, attempts: make(map[uint64]int)}
	b := newBatch(db.kindModes())
	for i := range letters {
		l := &letters[i]
		if db.tables[l.kind] == nil {
			return 0, 0, fmt.Errorf("entry %d is of kind %d: %w", l.entry, l.kind, errUndefined)
		}
		c.attempts[l.entry] = l.attempts
		b.again(l)
	}
	if err := c.rows(b); err != nil {
		return 0, 0, err
	}
	refused = int(c.done.refused)
	return len(letters) - refused, refused, nil
}

// retryAtOnce is the number of dead letters that the mirror itself retries at a time, those that have waited longest
// first.
const retryAtOnce = 1000

// reconcile retries changes that were refused because of a foreign key, since rows that have come or left may now allow
// them.
func (db *database) reconcile() error {
	if db.letters == 0 {
		return nil
	}
	return db.restoring(func() error {
		return db.transact(func(tx *sql.Tx) error {
			if err := db.lockPosition(tx); err != nil {
				return err
			}
			entries, err := db.refusedByKeys(tx)
			if err != nil || len(entries) == 0 {
				return err
			}
			_, _, err = db.retryLetters(tx, entries)
			return err
		})
	})
}

func (db *database) refusedByKeys(tx *sql.Tx) ([]uint64, error) {
	rows, err := tx.Query(`SELECT entry FROM `+lettersName(db.space)+`
		WHERE sqlstate = $1 AND `+db.own("entry")+` ORDER BY refused_at LIMIT $2`,
		string(foreignKeyViolation), retryAtOnce)
	if err != nil {
		return nil, fmt.Errorf("look for dead letters: %w", err)
	}
	defer rows.Close()
	var entries []uint64
	for rows.Next() {
		var entry int64
		if err := rows.Scan(&entry); err != nil {
			return nil, fmt.Errorf("look for dead letters: %w", err)
		}
		entries = append(entries, uint64(entry))
	}
	return entries, rows.Err()
}

// again adds the change of a dead letter.
func (b *batch) again(l *letter) {
	switch l.action {
	case storeAction, replaceAction:
		l.known, l.amends = true, l.action == replaceAction
		l.state = arrived(l.visible)
		if l.visible <= time.Now().UnixNano() {
			l.state = ready
		}
		b.puts = append(b.puts, l.put)
	case removeAction:
		b.gone[l.entry] = removal{l.left, l.kind}
	case renewAction:
		b.patches[l.entry] = patch{kind: l.kind, renewed: true, expires: l.expires}
	}
}

func (db *database) readLetters(tx *sql.Tx, entries []uint64) ([]letter, error) {
	rows, err := tx.Query(`SELECT entry, action, attempts, kind_number, row,
			(extract(epoch FROM expires) * 1000000)::bigint, (extract(epoch FROM left_at) * 1000000)::bigint, coalesce(how, ''),
			(extract(epoch FROM visible) * 1000000)::bigint
		FROM `+lettersName(db.space)+` WHERE `+db.own("entry")+` AND (`+chosen+`)`, len(entries) == 0, idArray(entries))
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	defer rows.Close()
	var letters []letter
	for rows.Next() {
		var l letter
		var entry int64
		var row []byte
		var expires, left, visible sql.NullInt64 // microseconds
		var how string
		if err := rows.Scan(&entry, &l.action, &l.attempts, &l.kind, &row, &expires, &left, &how, &visible); err != nil {
			return nil, fmt.Errorf("read dead letters: %w", err)
		}
		l.entry, l.row, l.expires = uint64(entry), template.Row(row), math.MaxInt64
		if expires.Valid {
			l.expires = expires.Int64 * 1000
		}
		if visible.Valid {
			l.visible = visible.Int64 * 1000
		}
		if left.Valid {
			l.left = departure{left.Int64 * 1000, reasonNamed(how)}
		}
		letters = append(letters, l)
	}
	slices.SortFunc(letters, func(a, b letter) int { return cmp.Compare(a.entry, b.entry) })
	return letters, rows.Err()
}

// reasonNamed is the inverse of reasonName.
func reasonNamed(name string) record.Reason {
	for _, r := range []record.Reason{record.Taken, record.Expired, record.Cancelled} {
		if reasonName(r) == name {
			return r
		}
	}
	return unknownReason
}
