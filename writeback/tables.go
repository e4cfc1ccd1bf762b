package writeback

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
)

// Tables is the content of a database about one space, at one moment, from which a lost space can be rebuilt. It does
// not change the database. Only one goroutine at a time may call its methods, and those of its Parts.
type Tables struct {
	db    *database // of the connection
	tx    *sql.Tx
	parts []*Part
}

// Part is the part of Tables about one partition of the space.
type Part struct {
	db          *database
	tx          *sql.Tx
	incarnation string
	letters     map[uint64]letter // what the tables lack, or have in excess, by entry
	kinds       []KindRows        // by number, from 1
	highest     uint64            // highest identity of an entry that ever existed
}

// KindRows describes the rows of one kind.
type KindRows struct {
	Name    string
	Mode    Mode   // None: the database has none
	Dropped bool   // the kind is dropped: only its number is loaded
	Entries uint64 // read so far
}

// Spaces returns the names of the spaces that a database mirrors, sorted.
func Spaces(ctx context.Context, dsn string) (names []string, err error) {
	db, err := connect(ctx, Config{DSN: dsn})
	if err != nil {
		return nil, err
	}
	defer db.close()
	err = db.transact(func(tx *sql.Tx) (err error) {
		if err := db.findCatalog(tx); err != nil {
			return err
		}
		names, err = queryNames(tx, `SELECT DISTINCT space FROM gospaces.positions ORDER BY space`)
		return err
	})
	return names, err
}

// Identity returns what distinguishes a database from all others, whichever way it is named.
func Identity(ctx context.Context, dsn string) (id string, err error) {
	db, err := connect(ctx, Config{DSN: dsn})
	if err != nil {
		return "", err
	}
	defer db.close()
	err = db.transact(func(tx *sql.Tx) error {
		return tx.QueryRow(`SELECT system_identifier || '/' || oid FROM pg_control_system(), pg_database
			WHERE datname = current_database()`).Scan(&id)
	})
	return id, err
}

// findCatalog returns ErrNoMirror if there is no catalog.
func (db *database) findCatalog(tx *sql.Tx) error {
	var exists bool
	err := tx.QueryRow(`SELECT to_regclass('gospaces.positions') IS NOT NULL
		AND to_regclass('gospaces.kinds') IS NOT NULL`).Scan(&exists)
	if err != nil {
		return fmt.Errorf("look for the mirror: %w", err)
	}
	if !exists {
		return ErrNoMirror
	}
	return nil
}

// OpenTables connects to the database that mirrors a space and begins to read it. It returns an error that wraps
// ErrNoMirror if the database mirrors no space of that name, or ErrIncomplete if the mirror knows that tables lack
// rows, or those of a partition, and incomplete is false; otherwise an error that describes a table that others have
// changed. When ctx ends the connection is cut. The caller must close it.
func OpenTables(ctx context.Context, dsn, space string, incomplete bool) (*Tables, error) {
	cfg, err := Config{DSN: dsn, Space: space}.withDefaults()
	if err != nil {
		return nil, err
	}
	db, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	t := &Tables{db: db}
	if err := t.open(ctx, incomplete); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// Close closes the connection.
func (t *Tables) Close() {
	if t.tx != nil {
		_ = t.tx.Rollback() // it has changed nothing
	}
	t.db.close()
}

// Parts returns the partitions of the space, by number.
func (t *Tables) Parts() []*Part { return t.parts }

func (t *Tables) open(ctx context.Context, incomplete bool) error {
	var err error
	if t.tx, err = t.db.conn.BeginTx(context.WithoutCancel(ctx),
		&sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := t.db.findCatalog(t.tx); err != nil {
		return err
	}
	partitions, err := t.db.countPartitions(t.tx)
	if err != nil {
		return err
	}
	for n := range partitions {
		p := &Part{tx: t.tx, letters: make(map[uint64]letter)}
		p.db = newDatabase(ctx, Config{Space: t.db.space, Partition: n, Partitions: partitions}, t.db.pool)
		if err := p.open(incomplete); err != nil {
			return err
		}
		t.parts = append(t.parts, p)
	}
	return nil
}

func (t *Part) open(incomplete bool) error {
	for _, step := range []func(*sql.Tx) error{
		t.findPosition, t.db.findLetters, t.db.loadKinds, t.checkKinds, t.checkTables, t.findHighest, t.findDifferences,
	} {
		if err := step(t.tx); err != nil {
			return err
		}
	}
	if lacking := t.db.incompleteTables(); len(lacking) > 0 && !incomplete {
		return fmt.Errorf("%w: %s", ErrIncomplete, lacking)
	}
	if t.db.ahead > t.db.position && !incomplete {
		return fmt.Errorf("%w: the mirror has ended amid a batch, between positions %d and %d of its log, "+
			"and has written only parts of it", ErrIncomplete, t.db.position, t.db.ahead)
	}
	return nil
}

func (t *Part) findPosition(tx *sql.Tx) error {
	var position, highest, ahead int64
	err := tx.QueryRow(`SELECT incarnation, position, highest_entry, ahead
		FROM gospaces.positions WHERE space = $1 AND partition = $2`,
		t.db.space, t.db.partition).Scan(&t.incarnation, &position, &highest, &ahead)
	if errors.Is(err, sql.ErrNoRows) && t.db.partitions > 1 {
		return fmt.Errorf("%w: nothing was mirrored of partition %d of space %q", ErrIncomplete, t.db.partition, t.db.space)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%w: space %q", ErrNoMirror, t.db.space)
	}
	if err != nil {
		return fmt.Errorf("read the position: %w", err)
	}
	t.db.position, t.db.ahead, t.highest = uint64(position), uint64(ahead), uint64(highest)
	return nil
}

// checkKinds returns an error if the catalog has lost kinds: kinds are numbered without gaps.
func (t *Part) checkKinds(*sql.Tx) error {
	for i, table := range t.db.byKind() {
		if int(table.kind) != i+1 {
			return fmt.Errorf("writeback: gospaces.kinds lacks kind %d of space %q: its entries cannot be read",
				i+1, t.db.space)
		}
		t.kinds = append(t.kinds, KindRows{Name: table.schema.Kind, Mode: table.mode, Dropped: table.dropped})
	}
	return nil
}

// checkTables returns an error if a table has other columns than the mirror gave it.
func (t *Part) checkTables(tx *sql.Tx) error {
	tables, err := t.db.look(tx)
	if err != nil {
		return err
	}
	t.db.refit(tables)
	for _, table := range t.db.stored() {
		if damage := table.damage(tables[table.name]); damage != "" {
			return fmt.Errorf("%w: %s", errDamaged, damage)
		}
	}
	return nil
}

// findDifferences reads the dead letters, by which the tables differ from the space.
func (t *Part) findDifferences(tx *sql.Tx) error {
	letters, err := t.db.readLetters(tx, nil)
	if err != nil {
		return err
	}
	for _, l := range letters {
		if l.kind == 0 || int(l.kind) > len(t.kinds) {
			return fmt.Errorf("%s: entry %d is of kind %d, which is not in gospaces.kinds",
				lettersName(t.db.space), l.entry, l.kind)
		}
		t.letters[l.entry] = l
	}
	return nil
}

// findHighest raises the highest identity to that of rows added by others.
func (t *Part) findHighest(tx *sql.Tx) error {
	for _, table := range t.db.stored() {
		var highest int64
		if err := tx.QueryRow(`SELECT coalesce(max(` + quote(entryColumn) + `), 0) FROM ` +
			table.sql() + ` WHERE ` + table.own).Scan(&highest); err != nil {
			return fmt.Errorf("read %s: %w", table.sql(), err)
		}
		t.highest = max(t.highest, uint64(highest))
	}
	return nil
}

// Log returns the log that the tables mirror, and their position in it.
func (t *Part) Log() (incarnation string, position uint64) { return t.incarnation, t.db.position }

// Highest returns the highest identity of an entry that the mirror ever had, or of a row that was added by hand.
func (t *Part) Highest() uint64 { return t.highest }

// DeadLetters returns the number of dead letters.
func (t *Part) DeadLetters() int { return len(t.letters) }

// Kinds returns the kinds in the order of their numbers, including dropped ones.
func (t *Part) Kinds() []KindRows { return slices.Clone(t.kinds) }

// Count returns the approximate number of rows that Records will read. It reads all tables once.
func (t *Part) Count() (uint64, error) {
	rows := uint64(0)
	for _, table := range t.db.stored() {
		var n int64
		if err := t.tx.QueryRow(`SELECT count(*) FROM ` + table.sql() + table.living()).Scan(&n); err != nil {
			return 0, fmt.Errorf("count the rows of %s: %w", table.sql(), err)
		}
		rows += uint64(n)
	}
	return rows, nil
}

// recordsSize is the approximate number of bytes of records passed to fn at a time.
const recordsSize = 256 << 10

// Records calls fn with the kinds, each as one record and another one if it was dropped, and with all entries that were
// in the space at the position of the mirror, as records of an image: a number of whole records at a time, with the
// number of rows they stand for. Dead letters are applied: changes that the database has refused are as the space has
// them. The records are valid only during fn, whose error ends Records. An error about a row names the table and the
// entry.
func (t *Part) Records(fn func(records []byte, entries uint64) error) error {
	now := time.Now()
	r := &reading{part: t, fn: fn, now: now.UnixNano(), version: uint32(now.Unix())}
	for _, table := range t.db.byKind() {
		r.records = record.AppendKind(r.records, table.kind, template.AppendSchema(nil, table.schema))
		if table.dropped {
			r.records = record.AppendDrop(r.records, table.kind)
		}
	}
	for _, table := range t.db.stored() {
		if err := r.table(table); err != nil {
			return fmt.Errorf("read %s: %w", table.sql(), err)
		}
	}
	if err := r.refused(); err != nil {
		return fmt.Errorf("read %s: %w", lettersName(t.db.space), err)
	}
	return r.flush()
}

// reading is one reading of all tables.
type reading struct {
	part *Part
	fn   func(records []byte, entries uint64) error
	now  int64
	// version of all entries: none had it before, so no client can change one on the basis of an earlier read
	version uint32
	seen    entrySet
	records []byte
	entries uint64 // in records
}

// table reads the rows of one table.
func (r *reading) table(t *table) error {
	rows, err := r.part.tx.Query(t.selectRows())
	if err != nil {
		return err
	}
	defer rows.Close()
	in := &rowReader{t: t}
	var composite sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&composite); err != nil {
			return err
		}
		p, err := in.read(composite)
		if err != nil {
			return fmt.Errorf("row %d: %w", p.entry, err)
		}
		if l, ok := r.part.letters[p.entry]; ok {
			if l.action != renewAction {
				continue
			}
			p.expires = l.expires
		}
		if err := r.add(&p); err != nil {
			return err
		}
	}
	return rows.Err()
}

// refused reads the rows that the tables lack.
func (r *reading) refused() error {
	for _, l := range r.part.letters {
		if l.action != storeAction && l.action != replaceAction || l.left.how != 0 {
			continue
		}
		if err := l.row.Check(r.part.db.tables[l.kind].schema); err != nil {
			return fmt.Errorf("row %d: %w", l.entry, err)
		}
		if err := r.add(&l.put); err != nil {
			return err
		}
	}
	return nil
}

// add adds an entry. Its place in the order is by identity.
func (r *reading) add(p *put) error {
	if !r.seen.add(p.entry) {
		return fmt.Errorf("row %d: another table has an entry %d too: delete one of them", p.entry, p.entry)
	}
	visible := p.visible
	if visible <= r.now { // it was visible, as without a delay
		visible = 0
	}
	r.records = record.AppendEntry(r.records, p.entry, p.kind, p.expires, visible, p.entry, r.version, 0, p.row)
	r.entries++
	r.part.kinds[p.kind-1].Entries++
	if len(r.records) < recordsSize {
		return nil
	}
	return r.flush()
}

func (r *reading) flush() error {
	if len(r.records) == 0 {
		return nil
	}
	err := r.fn(r.records, r.entries)
	r.records, r.entries = r.records[:0], 0
	return err
}

// entrySet is a set of entries, which are usually dense.
type entrySet struct {
	blocks map[uint64]*entryBlock
	last   *entryBlock
	number uint64 // of last
}

// entryBlock has a bit for each of 65536 consecutive entries.
type entryBlock [1024]uint64

// add returns false if the entry was in the set.
func (s *entrySet) add(entry uint64) bool {
	if number := entry >> 16; s.last == nil || number != s.number {
		s.number, s.last = number, s.blocks[number]
		if s.last == nil {
			s.last = new(entryBlock)
			if s.blocks == nil {
				s.blocks = make(map[uint64]*entryBlock)
			}
			s.blocks[number] = s.last
		}
	}
	word, bit := &s.last[entry>>6&1023], uint64(1)<<(entry&63)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}
