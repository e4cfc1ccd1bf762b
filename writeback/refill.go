package writeback

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"

	"github.com/gospaces/gospaces/internal/record"
)

// first returns the position of the first message in the log.
func (w *Writer) first() uint64 {
	if source, ok := w.source.(Imager); ok {
		return source.First()
	}
	return 1 // if that is wrong, reading reports it
}

// errSource wraps errors of reading the log or the image.
var errSource = errors.New("it cannot be told what they should hold")

// refill rebuilds the tables that lack rows, or all of them if the log no longer reaches back to the position of the
// mirror. It uses one transaction, so readers see the tables before or after. If their content cannot be determined but
// the other tables can continue, it lets these continue, and the status names the incomplete tables.
func (w *Writer) refill(ctx context.Context, db *database) error {
	r := &refill{writer: w, db: db, kinds: maps.Clone(db.incomplete)}
	behind := w.first() > db.position+1
	if behind || w.rebase || db.orphaned && db.position > 0 { // from 0 on, they are adopted as their kinds come
		r.kinds = nil
	}
	if r.kinds != nil && len(r.kinds) == 0 {
		return nil
	}
	w.cfg.Logger.Info("mirror_refilling", "tables", r.tables(), "position", db.position)
	if err := r.define(ctx); err != nil {
		return fmt.Errorf("define kinds: %w", err)
	}
	err := db.restoring(func() error {
		return db.transact(func(tx *sql.Tx) error { return r.run(ctx, tx) })
	})
	if errors.Is(err, errSource) && r.kinds != nil {
		w.cfg.Logger.Error("mirror_incomplete", "tables", r.tables(), "error", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("fill tables anew: %w", err)
	}
	w.rebase = false
	w.cfg.Logger.Info("mirror_refilled", "rows", r.rows, "position", db.position)
	return nil
}

// refill is the rebuilding of some tables.
type refill struct {
	writer *Writer
	db     *database
	kinds  map[uint32]bool // kinds of the tables; nil: all, including kinds that are not known yet
	rows   uint64          // written
}

// tables returns the names of the known tables.
func (r *refill) tables() []string {
	var names []string
	for _, t := range r.db.stored() {
		if r.kinds == nil || r.kinds[t.kind] {
			names = append(names, t.sql())
		}
	}
	return names
}

// define creates the tables of unknown kinds, if all are rebuilt, before the transaction that fills them, which could
// not create thousands of tables.
func (r *refill) define(ctx context.Context) error {
	if r.kinds != nil {
		return nil
	}
	b := newBatch(r.db.kindModes())
	errEnough := errors.New("enough")
	read := func(g record.Group) error {
		kinds, dropped, err := decodeKinds(g)
		maps.Copy(b.kinds, kinds)
		b.dropped = append(b.dropped, dropped...)
		return err
	}
	var err error
	if source, ok := r.writer.source.(Imager); ok && source.First() > 1 {
		err = source.Image(ctx, func(g record.Group) error { // it begins with the kinds
			if holds(g.Records, record.Entry) {
				return cmp.Or(read(g), errEnough)
			}
			return read(g)
		})
	} else if upto := max(r.db.position, r.db.ahead); upto > 0 {
		err = r.writer.source.Follow(ctx, 0, func(g record.Group) error {
			if g.Position >= upto {
				return cmp.Or(read(g), errEnough)
			}
			return read(g)
		})
	}
	if err != nil && !errors.Is(err, errEnough) {
		return sourceError(err, true)
	}
	tables, err := r.db.wants(b)
	if err != nil {
		return err
	}
	return r.db.inChunks(tables, func(tx *sql.Tx, part []*table) error {
		if err := r.db.lockPosition(tx); err != nil {
			return err
		}
		return r.db.define(tx, part)
	})
}

// holds reports whether records contain one with the given operation.
func holds(records []byte, op record.Op) bool {
	var r record.Record
	for rest, err := records, error(nil); len(rest) > 0 && err == nil; {
		if rest, err = record.Next(rest, &r); r.Op == op {
			return true
		}
	}
	return false
}

func (r *refill) run(ctx context.Context, tx *sql.Tx) error {
	if err := r.db.lockPosition(tx); err != nil {
		return err
	}
	if err := r.settle(ctx, tx); err != nil {
		return err
	}
	if source, ok := r.writer.source.(Imager); ok && source.First() > 1 {
		return r.fromImage(ctx, tx, source)
	}
	r.writer.status.filling(0)
	if err := r.clear(tx, true); err != nil {
		return err
	}
	f := r.feed(tx, r.kinds, 0)
	if err := f.tail(ctx, r.writer.source, 0, r.db.position); err != nil {
		return err
	}
	return r.finish(tx, f, r.db.position)
}

// settle brings the other tables to ahead, which becomes the position of all tables: parts of the groups before it may
// be in the database.
func (r *refill) settle(ctx context.Context, tx *sql.Tx) error {
	db := r.db
	if db.ahead <= db.position {
		return nil
	}
	if r.kinds != nil {
		f := r.feed(tx, nil, db.highest)
		if err := f.tail(ctx, r.writer.source, db.position, db.ahead); err != nil {
			return err
		}
		db.highest = max(db.highest, f.highest)
	}
	db.position = db.ahead
	return nil
}

// fromImage fills the tables from an image, and brings them or the other tables forward to the same position.
func (r *refill) fromImage(ctx context.Context, tx *sql.Tx, source Imager) error {
	f, position := r.feed(tx, r.kinds, 0), uint64(0)
	f.batch.image = true
	err := source.Image(ctx, func(g record.Group) error {
		if position == 0 {
			position = g.Position
			if err := r.begin(ctx, tx, position); err != nil {
				return inDatabase{err}
			}
		}
		return f.add(g)
	})
	if err = sourceError(err, position == 0); err != nil {
		return err
	}
	if err := f.flush(); err != nil {
		return err
	}
	f.batch.image = false
	if err := f.tail(ctx, source, position, r.db.position); err != nil {
		return err
	}
	return r.finish(tx, f, max(position, r.db.position))
}

// begin prepares for an image at a position: tables that are not filled from it must get there by the log.
func (r *refill) begin(ctx context.Context, tx *sql.Tx, position uint64) error {
	if r.kinds == nil {
		r.writer.status.filling(position)
	} else {
		r.writer.status.filling(min(position, r.db.position))
	}
	if first := r.writer.first(); position+1 < first {
		return fmt.Errorf("%w: the image of the space is of position %d, and the log begins at %d",
			errSource, position, first)
	}
	if r.kinds != nil && position > r.db.position {
		f := r.feed(tx, nil, r.db.highest)
		if err := f.tail(ctx, r.writer.source, r.db.position, position); err != nil {
			return err
		}
		r.db.highest = max(r.db.highest, f.highest)
	}
	return r.clear(tx, false)
}

// clear empties the tables. whole means that the content of archives comes again.
func (r *refill) clear(tx *sql.Tx, whole bool) error {
	db := r.db
	db.keepArchives = !whole
	tables, err := db.look(tx)
	if err != nil {
		return err
	}
	var kinds []uint32
	for _, t := range db.stored() {
		if r.kinds != nil && !r.kinds[t.kind] {
			continue
		}
		if err := db.empty(tx, t, tables[t.name]); err != nil {
			return err
		}
		kinds = append(kinds, t.kind)
	}
	dropped, err := affected(tx.Exec(`DELETE FROM `+lettersName(db.space)+`
		WHERE `+db.own("entry")+` AND ($1 OR kind_number = ANY ($2::bigint[])) AND ($3 OR left_at IS NULL)`,
		r.kinds == nil, kindArray(kinds), whole))
	if err != nil {
		return fmt.Errorf("delete dead letters: %w", err)
	}
	db.letters -= int(dropped)
	return nil
}

// finish stores the position of all tables.
func (r *refill) finish(tx *sql.Tx, f *feeder, position uint64) error {
	db := r.db
	db.highest, r.rows = max(db.highest, f.highest), f.rows
	for _, t := range db.stored() {
		if r.kinds == nil || r.kinds[t.kind] {
			if err := db.setComplete(tx, t, true); err != nil {
				return err
			}
		}
	}
	if r.kinds == nil {
		if err := db.lose(tx); err != nil {
			return err
		}
	}
	db.position = position
	_, err := tx.Exec(`UPDATE gospaces.positions SET position = $1, highest_entry = $2, updated_at = now(),
		stamp = CASE WHEN greatest(position, ahead) = $1 THEN stamp ELSE 0 END WHERE space = $3 AND partition = $4`,
		int64(position), int64(db.highest), db.space, db.partition)
	return err
}

// feed returns a feeder for the tables of some kinds, or of all if kinds is nil. highest is the highest entry that may
// have a row.
func (r *refill) feed(tx *sql.Tx, kinds map[uint32]bool, highest uint64) *feeder {
	modes := r.db.kindModes()
	choose := modes.choose
	f := &feeder{db: r.db, tx: tx, kinds: kinds, maxBytes: r.writer.cfg.BatchBytes, maxRecords: r.writer.cfg.BatchRecords}
	modes.choose = func(kind uint32, name string) Mode {
		if !f.fills(kind) {
			return None
		}
		return choose(kind, name)
	}
	for kind := range r.db.tables {
		if !f.fills(kind) {
			modes.set(kind, None)
		}
	}
	f.batch = newBatch(modes)
	f.batch.highest = highest
	return f
}

// feeder applies groups to tables, many at a time, within one transaction.
type feeder struct {
	db    *database
	tx    *sql.Tx
	kinds map[uint32]bool // kinds to apply; nil: all

	maxBytes, maxRecords int

	batch   *batch
	highest uint64 // highest stored entry
	rows    uint64 // number of rows written
}

func (f *feeder) fills(kind uint32) bool { return f.kinds == nil || f.kinds[kind] }

// inDatabase is an error that does not come from the source.
type inDatabase struct{ error }

func (e inDatabase) Unwrap() error { return e.error }

// add adds g. Its error is one of the database, or of the group itself.
func (f *feeder) add(g record.Group) error {
	if err := f.batch.add(g); err != nil {
		return err
	}
	if f.batch.bytes < f.maxBytes && f.batch.records < f.maxRecords {
		return nil
	}
	if err := f.flush(); err != nil {
		return inDatabase{err}
	}
	return nil
}

// flush applies what was added to the tables.
func (f *feeder) flush() error {
	b := f.batch
	for _, p := range b.puts {
		f.highest = max(f.highest, p.entry)
	}
	c := &change{db: f.db, tx: f.tx, isolating: true}
	tables, err := f.db.wants(b)
	if err != nil {
		return err
	}
	if err := f.db.define(f.tx, tables); err != nil {
		return err
	}
	if err := c.rows(b); err != nil {
		return err
	}
	if err := f.db.mark(f.tx, b); err != nil {
		return err
	}
	f.rows += c.done.written
	b.reset(&batch{to: b.to, highest: b.highest, image: b.image})
	return nil
}

// tail adds the groups of the log after one position up to another, and flushes. It adds nothing if upto is not after
// after.
func (f *feeder) tail(ctx context.Context, source Source, after, upto uint64) error {
	if after >= upto {
		return nil
	}
	errReached := errors.New("reached")
	err := source.Follow(ctx, after, func(g record.Group) error {
		if err := f.add(g); err != nil {
			return err
		}
		if g.Position >= upto {
			return errReached
		}
		return nil
	})
	if !errors.Is(err, errReached) {
		return sourceError(err, true)
	}
	return f.flush()
}

// sourceError wraps err with errSource if it comes from the source. unfinished means that reading ended early.
func sourceError(err error, unfinished bool) error {
	if e, ok := errors.AsType[inDatabase](err); ok {
		return e.error
	}
	if err == nil && unfinished {
		err = errors.New("it has ended")
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errSource, err)
}
