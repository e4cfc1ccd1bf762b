package engine

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
)

// Loading builds the state of an engine from an image. Entries come in any order; they are linked once all are there.
type Loading struct {
	e       *Engine
	free    [][]slot // by KindID-1
	indexes [][]byte // records of indexes, which are built in the background once all entries are there
	tail    []later  // records that need all entries
	records uint64
	ended   bool
}

// Load begins to load an image into e, which must be empty.
func (e *Engine) Load() *Loading { return &Loading{e: e} }

// later is a record that is applied when all entries are there: in the order in which entries were taken, if known,
// then by identity. The writes of a branch thus get their places in the right order, and the releases of an ending
// transaction find its entries in about their own order. Prepare comes first.
type later struct {
	time   int64
	entry  uint64
	record []byte
}

func (a later) compare(b later) int {
	return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.entry, b.entry))
}

// Add applies whole records of the image. It returns an error that wraps record.ErrCorrupt.
func (l *Loading) Add(records []byte) error {
	var r record.Record
	for len(records) > 0 {
		rest, err := record.Next(records, &r)
		if err != nil {
			return err
		}
		if err := l.add(&r, records[:len(records)-len(rest)]); err != nil {
			return fmt.Errorf("%w: operation %d on %d: %w", record.ErrCorrupt, r.Op, r.ID, err)
		}
		records = rest
	}
	return nil
}

var (
	errPlace = errors.New("it is out of place")
	errShort = errors.New("records are missing")
)

// add applies one record, whose bytes are raw.
func (l *Loading) add(r *record.Record, raw []byte) error {
	e := l.e
	if l.ended {
		return errPlace
	}
	switch r.Op {
	case record.Ended:
		l.ended = true
		if r.Count != l.records {
			return errShort
		}
		return nil
	case record.Death:
		return e.applyDeath(r)
	case record.Prepare, record.StageTake, record.Stage, record.StageChange, record.Hold:
		l.tail = append(l.tail, later{r.Time, r.Entry, bytes.Clone(raw)})
		return nil
	}
	l.records++
	switch r.Op {
	case record.Counters:
		return l.counters(r.Body)
	case record.Index:
		l.indexes = append(l.indexes, bytes.Clone(raw))
		return nil
	case record.Kind, record.Drop, record.Decide:
		return e.apply(r)
	case record.Entry:
		return l.entry(r)
	case record.Listener:
		if err := e.applyRegister(r); err != nil {
			return err
		}
		e.registrations[r.ID].seq = r.Count
		return nil
	case record.Fates:
		return e.loadFates(r)
	case record.Session:
		return l.session(r)
	case record.Outcome:
		s := e.sessions.byID[r.ID]
		if s == nil {
			return errAbsent
		}
		s.keep(e.lsn, sort(r.Type), r.Number, r.Body)
		return nil
	}
	return errPlace
}

func (l *Loading) counters(b []byte) error {
	for _, n := range []*uint64{
		&l.e.lastID, &l.e.reserved, &l.e.lastOrder, &l.e.sessions.lastID, &l.e.sessions.expired,
		&l.e.fates.first,
	} {
		v, w := binary.Uvarint(b)
		if w <= 0 {
			return errShort
		}
		*n, b = v, b[w:]
	}
	return nil
}

func (l *Loading) session(r *record.Record) error {
	n := len(call.Client{})
	if len(r.Body) != n+8 {
		return errShort
	}
	lost := binary.LittleEndian.Uint64(r.Body[n:])
	r.Body = r.Body[:n]
	if err := l.e.applySession(r); err != nil {
		return err
	}
	l.e.sessions.byID[r.ID].lost = lost
	return nil
}

func (l *Loading) entry(r *record.Record) error {
	e := l.e
	if e.checkKind(r.Kind) != nil {
		return errKind
	}
	if _, ok := e.store.Find(r.ID); ok {
		return errPresent
	}
	k := e.kinds[r.Kind-1]
	s := k.add(e, r.ID, r.Expires, template.Row(r.Body))
	en := k.At(s)
	en.Order, en.Version, en.Attempts, en.LSN = r.Number, r.Version, r.Tries, e.lsn
	if r.Visible != 0 {
		e.delay(held{k, s, r.ID}, r.Visible)
		return nil
	}
	en.State = taken // in no pool yet
	for len(l.free) < int(k.id) {
		l.free = append(l.free, nil)
	}
	l.free[k.id-1] = append(l.free[k.id-1], s)
	return nil
}

// Finish completes the state. It returns an error that wraps record.ErrCorrupt if the image is not complete.
func (l *Loading) Finish() error {
	if !l.ended {
		return fmt.Errorf("%w: the image is cut off", record.ErrCorrupt)
	}
	e := l.e
	for i, slots := range l.free {
		k := e.kinds[i]
		slices.SortFunc(slots, func(a, b slot) int { return cmp.Compare(k.At(a).Order, k.At(b).Order) })
		for _, s := range slots {
			k.Free.Append(s)
		}
		k.changed, k.removed = e.lsn, e.lsn
	}
	l.free = nil
	slices.SortStableFunc(l.tail, later.compare)
	tail := bytes.Join(l.indexes, nil)
	for _, r := range l.tail {
		tail = append(tail, r.record...)
	}
	if l.indexes, l.tail = nil, nil; len(tail) == 0 {
		return nil
	}
	lsn := e.lsn
	err := e.Apply(tail)
	e.lsn = lsn
	return err
}

// appendSchema returns the encoded schema of a kind.
func appendSchema(k *kind) []byte { return template.AppendSchema(nil, k.schema) }

// Entries returns the number of entries, including invisible ones: locked, delayed, or written by an open transaction.
func (e *Engine) Entries() int { return e.store.Len() }
