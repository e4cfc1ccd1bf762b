package writeback

import (
	"cmp"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"
)

// lettersTable is the table of dead letters in the schema of a space. It is created before the table of any kind, so no
// kind has its name.
const lettersTable = "_dead_letters"

// letterColumns are its columns. Those for people come first; kind_number and row are for Retry.
var letterColumns = []column{
	{"entry", "bigint PRIMARY KEY"},
	{"kind", "text NOT NULL"},
	{"action", "text NOT NULL"},
	{"sqlstate", "text NOT NULL"},
	{"reason", "text NOT NULL"},
	{"refused_at", "timestamptz NOT NULL"},
	{"attempts", "int NOT NULL"},
	{"fields", "jsonb"},
	{"expires", "timestamptz"},
	{"visible", "timestamptz"},
	{"left_at", "timestamptz"},
	{"how", "text"},
	{"kind_number", "bigint NOT NULL"},
	{"row", "bytea"},
}

// Refused changes.
const (
	storeAction   = "store"   // store the row of an entry
	replaceAction = "replace" // replace an older row of an entry
	removeAction  = "remove"  // delete the row of an entry that has left
	renewAction   = "renew"   // change the expiry in the row
)

// letter is a dead letter to be written.
type letter struct {
	put      // with a row if the action is to store or replace one
	action   string
	why      *pq.Error
	attempts int
}

func lettersName(space string) string {
	return quote(schemaName(space)) + "." + quote(lettersTable)
}

func makeLetters(space string) string {
	var definitions []string
	for _, c := range letterColumns {
		definitions = append(definitions, quote(c.name)+" "+c.sqlType)
	}
	return "CREATE TABLE IF NOT EXISTS " + lettersName(space) + " (" + strings.Join(definitions, ", ") + ")"
}

func copyLetters(space string) string {
	var names []string
	for _, c := range letterColumns {
		names = append(names, quote(c.name))
	}
	return "COPY " + lettersName(space) + " (" + strings.Join(names, ", ") + ") FROM STDIN"
}

// appendLetter appends l, which is of kind t, as a line of the text format of COPY.
func (t *table) appendLetter(dst []byte, l *letter, at time.Time) []byte {
	dst = strconv.AppendInt(dst, entryKey(l.entry), 10)
	for _, text := range []string{t.schema.Kind, l.action, string(l.why.Code), reason(l.why)} {
		dst = appendText(append(dst, '\t'), []byte(text))
	}
	dst = appendTime(append(dst, '\t'), at.UTC())
	dst = strconv.AppendInt(append(dst, '\t'), int64(l.attempts), 10)
	dst = append(dst, '\t')
	if l.row != nil {
		dst = t.appendFields(dst, l.row, 0)
	} else {
		dst = append(dst, null...)
	}
	dst = appendExpires(append(dst, '\t'), l.expires)
	dst = appendVisible(append(dst, '\t'), l.visible)
	dst = appendDeparture(append(dst, '\t'), l.left)
	dst = strconv.AppendUint(append(dst, '\t'), uint64(l.kind), 10)
	dst = append(dst, '\t')
	if l.row != nil {
		dst = appendBytes(dst, l.row)
	} else {
		dst = append(dst, null...)
	}
	return append(dst, '\n')
}

// reason is the database's message, with the detail, which often shows the value.
func reason(e *pq.Error) string {
	if e.Detail == "" {
		return e.Message
	}
	return e.Message + ": " + e.Detail
}

// countLetters reads the number of dead letters. Others may delete some meanwhile, but not add any.
func (db *database) countLetters(tx *sql.Tx) error {
	return tx.QueryRow(`SELECT count(*) FROM ` + lettersName(db.space) + ` WHERE ` + db.own("entry")).Scan(&db.letters)
}

// archived returns the kinds that are archived.
func (c *change) archived() []uint32 {
	var kinds []uint32
	for _, t := range c.db.tables {
		if t.mode == Append {
			kinds = append(kinds, t.kind)
		}
	}
	return kinds
}

// lettersLeft records in the dead letters of archived rows that their entries have left, and returns the other entries.
func (c *change) lettersLeft(b *batch, gone []uint64) ([]uint64, error) {
	archived := c.archived()
	if len(gone) == 0 || len(archived) == 0 {
		return gone, nil
	}
	return without(gone, c.tx, `UPDATE `+lettersName(c.db.space)+` SET left_at = g.at, how = g.how
		FROM unnest($1::bigint[], $2::timestamptz[], $3::text[]) AS g (id, at, how)
		WHERE entry = g.id AND action IN ($4, $5) AND kind_number = ANY ($6::bigint[]) RETURNING entry`,
		idArray(gone), b.leftArray(gone), b.howArray(gone), storeAction, replaceAction, kindArray(archived))
}

// dropLetters deletes the dead letters of entries.
func (c *change) dropLetters(entries []uint64) error {
	if len(entries) == 0 || c.db.letters == 0 {
		return nil
	}
	dropped, err := affected(c.tx.Exec(`DELETE FROM `+lettersName(c.db.space)+` WHERE entry = ANY ($1::bigint[])`,
		idArray(entries)))
	if err != nil {
		return fmt.Errorf("delete dead letters: %w", err)
	}
	c.db.letters -= int(dropped)
	return nil
}

// renewLetters updates the expiry in dead letters of rows, and drops the letters of patches that are retried now.
// entries are those of patches.
func (c *change) renewLetters(b *batch, entries []uint64) error {
	entries = slices.DeleteFunc(slices.Clone(entries), func(entry uint64) bool { return !b.patches[entry].renewed })
	if len(entries) == 0 {
		return nil
	}
	dropped, err := affected(c.tx.Exec(`DELETE FROM `+lettersName(c.db.space)+`
		WHERE entry = ANY ($1::bigint[]) AND action = $2`, idArray(entries), renewAction))
	if err != nil {
		return fmt.Errorf("delete dead letters: %w", err)
	}
	c.db.letters -= int(dropped)
	_, err = c.tx.Exec(`UPDATE `+lettersName(c.db.space)+` SET expires = r.expires
		FROM unnest($1::bigint[], $2::timestamptz[]) AS r (id, expires) WHERE entry = r.id AND action IN ($3, $4)`,
		idArray(entries), b.expiryArray(entries), storeAction, replaceAction)
	if err != nil {
		return fmt.Errorf("update dead letters: %w", err)
	}
	return nil
}

// without returns entries, which are sorted, except those whose keys a statement returns.
func without(entries []uint64, tx *sql.Tx, statement string, args ...any) ([]uint64, error) {
	rows, err := tx.Query(statement, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var entry int64
		if err := rows.Scan(&entry); err != nil {
			return nil, err
		}
		if i, ok := slices.BinarySearch(entries, uint64(entry)); ok {
			entries = slices.Delete(entries, i, i+1)
		}
	}
	return entries, rows.Err()
}

// bury stores the dead letters of items that remain refused.
func (c *change) bury() error {
	if len(c.refused) == 0 {
		return nil
	}
	if err := c.tellMissing(); err != nil {
		return err
	}
	// If both the state and the fields of an entry are refused, the fields matter.
	slices.SortStableFunc(c.letters, func(a, b letter) int { return cmp.Compare(a.entry, b.entry) })
	c.letters = lastOfEach(c.letters)
	if err := c.keepLetters(); err != nil {
		return err
	}
	var entries []uint64
	for i := range c.letters {
		entries = append(entries, c.letters[i].entry)
	}
	if err := c.dropLetters(entries); err != nil {
		return err
	}
	now := time.Now()
	err := c.db.copyIn(copyLetters(c.db.space), len(entries), func(dst []byte, i int) []byte {
		return c.db.tables[c.letters[i].kind].appendLetter(dst, &c.letters[i], now)
	})
	if err != nil {
		return fmt.Errorf("store dead letters: %w", err)
	}
	c.db.letters += len(entries)
	c.done.refused += uint64(len(entries))
	return nil
}

// keepLetters drops new letters about states of entries that already have letters about their whole rows.
func (c *change) keepLetters() error {
	var modified []uint64
	for i := range c.letters {
		if c.letters[i].action == renewAction {
			modified = append(modified, c.letters[i].entry)
		}
	}
	if len(modified) == 0 || c.db.letters == 0 {
		return nil
	}
	modified, err := without(modified, c.tx,
		`SELECT entry FROM `+lettersName(c.db.space)+` WHERE entry = ANY ($1::bigint[]) AND action IN ($2, $3)`,
		idArray(modified), storeAction, replaceAction)
	if err != nil {
		return fmt.Errorf("read dead letters: %w", err)
	}
	c.letters = slices.DeleteFunc(c.letters, func(l letter) bool {
		_, found := slices.BinarySearch(modified, l.entry)
		return l.action == renewAction && !found
	})
	return nil
}

// lastOfEach returns the last letter of each entry. letters are sorted by entry.
func lastOfEach(letters []letter) []letter {
	kept := letters[:0]
	for i := range letters {
		if i+1 == len(letters) || letters[i+1].entry != letters[i].entry {
			kept = append(kept, letters[i])
		}
	}
	return kept
}

// tellMissing turns refused items into letters. A row that was to be replaced may not exist after all.
func (c *change) tellMissing() error {
	replaced := make(map[*table][]uint64)
	for _, r := range c.refused {
		if r.step.action == replaceAction {
			replaced[r.step.t] = append(replaced[r.step.t], r.item.entry)
		}
	}
	there := make(map[uint64]bool)
	for t, entries := range replaced {
		if err := c.there(t, entries, there); err != nil {
			return err
		}
	}
	for _, r := range c.refused {
		l := letter{put: *r.item, action: r.step.action, why: r.why, attempts: 1 + c.attempts[r.item.entry]}
		if r.step.action == replaceAction && !there[r.item.entry] {
			l.action = storeAction
		}
		c.letters = append(c.letters, l)
	}
	return nil
}

// there records which of the entries have a row.
func (c *change) there(t *table, entries []uint64, there map[uint64]bool) error {
	rows, err := c.tx.Query(`SELECT `+quote(entryColumn)+` FROM `+t.sql()+
		` WHERE `+quote(entryColumn)+` = ANY ($1::bigint[])`, idArray(entries))
	if err != nil {
		return fmt.Errorf("look for rows of %s: %w", t.sql(), err)
	}
	defer rows.Close()
	for rows.Next() {
		var entry int64
		if err := rows.Scan(&entry); err != nil {
			return err
		}
		there[uint64(entry)] = true
	}
	return rows.Err()
}
