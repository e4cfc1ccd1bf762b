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

// lettersTable is the table of dead letters in the schema of a space. It is there before any kind, so no kind has its
// name.
const lettersTable = "_dead_letters"

// letterColumns are its columns. What people look at comes first; kind_number and row are for Retry.
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

// What a dead letter stands for.
const (
	storeAction   = "store"   // the row of an entry, which its table lacks
	replaceAction = "replace" // the row of an entry, of which its table has an older one
	removeAction  = "remove"  // a row, of which the entry has left
	renewAction   = "renew"   // a row with an expiry that is not the entry's
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

// reason is what the database says, with the detail that often tells the value.
func reason(e *pq.Error) string {
	if e.Detail == "" {
		return e.Message
	}
	return e.Message + ": " + e.Detail
}

// countLetters reads how many dead letters there are. Others may make them fewer meanwhile, but not more.
func (db *database) countLetters(tx *sql.Tx) error {
	return tx.QueryRow(`SELECT count(*) FROM ` + lettersName(db.space)).Scan(&db.letters)
}

// archived returns the kinds whose tables are archives.
func (c *change) archived() []uint32 {
	var kinds []uint32
	for _, t := range c.db.tables {
		if t.mode == Append {
			kinds = append(kinds, t.kind)
		}
	}
	return kinds
}

// lettersLeft notes in the dead letters of archived rows that their entries have left, and returns the others.
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
	dropped, err := affected(c.tx.Exec(`DELETE FROM `+lettersName(c.db.space)+` WHERE entry = ANY ($1::bigint[])`, idArray(entries)))
	if err != nil {
		return fmt.Errorf("delete dead letters: %w", err)
	}
	c.db.letters -= int(dropped)
	return nil
}

// renewLetters gives the dead letters of rows their new expiry, and drops those of changes that are tried again now.
// entries are those of patches.
func (c *change) renewLetters(b *batch, entries []uint64) error {
	entries = slices.DeleteFunc(slices.Clone(entries), func(entry uint64) bool { return !b.patches[entry].renewed })
	if len(entries) == 0 {
		return nil
	}
	dropped, err := affected(c.tx.Exec(`DELETE FROM `+lettersName(c.db.space)+` WHERE entry = ANY ($1::bigint[]) AND action = $2`, idArray(entries), renewAction))
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

// without returns entries, which are sorted, without those whose keys a statement returns.
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

// bury stores the dead letters of what was refused and is not taken any more.
func (c *change) bury() error {
	if len(c.refused) == 0 {
		return nil
	}
	if err := c.tellMissing(); err != nil {
		return err
	}
	// Of an entry whose state and fields are both refused the fields count.
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

// keepLetters leaves out the letters of what was changed besides fields, for entries that have letters about all of
// their row.
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
	modified, err := without(modified, c.tx, `SELECT entry FROM `+lettersName(c.db.space)+` WHERE entry = ANY ($1::bigint[]) AND action IN ($2, $3)`,
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

// tellMissing makes letters of what was refused. Of a row that was to be replaced there may be none after all.
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

// there notes which of entries have a row.
func (c *change) there(t *table, entries []uint64, there map[uint64]bool) error {
	rows, err := c.tx.Query(`SELECT `+quote(entryColumn)+` FROM `+t.sql()+` WHERE `+quote(entryColumn)+` = ANY ($1::bigint[])`, idArray(entries))
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
