// Package load fills an empty space from the tables of its mirror. It is the only way in which a database is the source
// of a space, and happens only on request.
package load

import (
	"context"
	"errors"
	"fmt"

	"github.com/gospaces/gospaces/internal/backup"
	"github.com/gospaces/gospaces/internal/engine"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/txn"
	"github.com/gospaces/gospaces/writeback"
)

var (
	// ErrNotEmpty is returned for a space that has entries, or that was loaded before and has changed since. Nothing has
	// changed.
	ErrNotEmpty = errors.New("load: the space is not empty")

	// ErrSameLog is returned for a space whose own log the tables mirror: it needs nothing from them. Nothing has changed.
	ErrSameLog = errors.New("load: the tables mirror the log of this very space, which holds all that they do")
)

// partition fills a partition of a store from the tables. It is atomic, whenever the process ends: the partition is
// empty until its first snapshot is complete. The old log, which has no entries, is removed.
func partition(ctx context.Context, store *replication.Store, name string, number int, tables *writeback.Part,
	progress func(entries uint64),
) (earlier bool, err error) {
	log, err := store.Log(ctx, name, number)
	if err != nil {
		return false, err
	}
	e, last, err := backup.State(ctx, log, number)
	if err != nil {
		return false, err
	}
	o := replication.Origin{Highest: tables.Highest()}
	o.Incarnation, o.Position = tables.Log()
	from, loaded := log.Origin()
	loaded = loaded && from.Incarnation == o.Incarnation && from.Position == o.Position
	switch {
	case loaded && last == from.At:
		return true, nil
	case loaded:
		return false, fmt.Errorf("%w: it was loaded from these tables and has gone on since", ErrNotEmpty)
	case log.Incarnation() == o.Incarnation:
		return false, ErrSameLog
	case e.Entries() > 0:
		return false, fmt.Errorf("%w: entries: %d", ErrNotEmpty, e.Entries())
	case len(e.Prepared()) > 0:
		return false, fmt.Errorf("%w: a transaction that is prepared may still write", ErrNotEmpty)
	case !log.Pristine():
		if log, err = store.Remake(ctx, name, number); err != nil {
			return false, err
		}
	}
	return false, begin(log, o, tables, progress, number)
}

// begin writes the snapshot with which a log begins.
func begin(
	log *replication.Log, o replication.Origin, tables *writeback.Part, progress func(entries uint64), number int,
) error {
	s, err := log.Begin(o)
	if err != nil {
		return err
	}
	if err := writeImage(s.Write, tables, progress, number); err != nil {
		return errors.Join(err, s.Abort())
	}
	return s.Commit()
}

// writeImage writes the image.
func writeImage(
	write func(records []byte) error, tables *writeback.Part, progress func(entries uint64), number int,
) error {
	highest := max(tables.Highest(), txn.IDBase(uint16(number)))
	if err := write(engine.AppendCounters(nil, highest+engine.Unheard)); err != nil {
		return err
	}
	entries := uint64(0)
	err := tables.Records(func(records []byte, n uint64) error {
		entries += n
		progress(entries)
		return write(records)
	})
	if err != nil {
		return err
	}
	records := 1 + entries // counters record
	for _, k := range tables.Kinds() {
		records++
		if k.Dropped {
			records++
		}
	}
	return write(record.AppendEnded(nil, records))
}
