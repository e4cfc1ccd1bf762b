package writeback

import (
	"bytes"
	"fmt"
	"maps"
	"time"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
)

// batch is the net effect of consecutive groups: for every entry only where it ends up. Applied to a database at from,
// first gone, then renewed, then puts, it leaves the database at to.
//
// What makes plain COPY right for puts: highest is the highest entry that any Put before named, so an entry above it has
// no row anywhere; and one that is not above it is gone first.
type batch struct {
	from, to uint64    // the groups after from, up to and including to
	since    int64     // Time of the first group
	begun    time.Time // when it came

	kinds   map[uint32]*template.Schema // kinds made known or extended, by the last such record
	puts    []put                       // in the order of the log
	live    map[uint64]int              // entry → its place in puts
	gone    map[uint64]struct{}         // entries that may have a row and may not keep it
	renewed map[uint64]int64            // entry that may have a row → its new expiry; none of it is live or gone
	highest uint64                      // the highest entry ever put, up to and including this batch

	records   int // read, of whatever sort
	bytes     int // memory in use, about
	coalesced uint64
}

// put is an entry to be stored, or one that was to be and is dead.
type put struct {
	entry   uint64
	expires int64
	kind    uint32
	dead    bool
	row     template.Row // in a chunk of the batch's own
}

// Estimates of the memory that a record takes besides its row: its place in the slice and in the map.
const (
	putCost   = 96
	entryCost = 40
)

func newBatch() *batch {
	return &batch{
		kinds:   make(map[uint32]*template.Schema),
		live:    make(map[uint64]int),
		gone:    make(map[uint64]struct{}),
		renewed: make(map[uint64]int64),
	}
}

// empty reports whether no group was added.
func (b *batch) empty() bool { return b.to == b.from }

// add takes over g, all of it or, if it returns an error, nothing.
func (b *batch) add(g record.Group) error {
	kinds, err := decodeKinds(g)
	if err != nil {
		return err
	}
	if b.empty() {
		b.since, b.begun = g.Time, time.Now()
	}
	maps.Copy(b.kinds, kinds)
	// One copy for all rows of the group: a group is as large as a batch should be, or much smaller.
	rest := bytes.Clone(g.Records)
	b.bytes += len(rest)
	var r record.Record
	for len(rest) > 0 {
		rest, _ = record.Next(rest, &r) // decodeKinds has seen that there is no error
		b.apply(&r)
	}
	b.to = g.Position
	return nil
}

// decodeKinds returns the schemas in g, by kind. It returns an error if anything in g cannot be decoded.
func decodeKinds(g record.Group) (kinds map[uint32]*template.Schema, err error) {
	var r record.Record
	for rest := g.Records; len(rest) > 0; {
		if rest, err = record.Next(rest, &r); err != nil {
			return nil, fmt.Errorf("group %d of the log: %w", g.Position, err)
		}
		if r.Op != record.Kind {
			continue
		}
		schema, err := template.DecodeSchema(r.Body)
		if err != nil {
			return nil, fmt.Errorf("group %d of the log: kind %d: %w", g.Position, r.Kind, err)
		}
		if kinds == nil {
			kinds = make(map[uint32]*template.Schema)
		}
		kinds[r.Kind] = schema
	}
	return kinds, nil
}

// apply takes over one record. An entry that is not visible yet has a row like any other. Registrations and their events leave no trace in
// the database, nor does what a transaction will do, until it has done it.
func (b *batch) apply(r *record.Record) {
	b.records++
	switch r.Op {
	case record.Put, record.PutLater, record.Change:
		b.put(r)
	case record.Remove:
		b.remove(r.ID)
	case record.Take, record.TakeMore:
		b.remove(r.Entry)
	case record.Renew:
		b.renew(r.ID, r.Expires)
	}
}

func (b *batch) put(r *record.Record) {
	if r.ID <= b.highest {
		b.remove(r.ID)
	}
	b.highest = max(b.highest, r.ID)
	b.live[r.ID] = len(b.puts)
	b.puts = append(b.puts, put{entry: r.ID, expires: r.Expires, kind: r.Kind, row: template.Row(r.Body)})
	b.bytes += putCost
}

// remove forgets an entry. One that was put in this batch, above all that were put before, never reaches the database.
func (b *batch) remove(entry uint64) {
	if i, ok := b.live[entry]; ok {
		b.puts[i].dead = true
		delete(b.live, entry)
		b.coalesced += 2
		return
	}
	if _, ok := b.renewed[entry]; ok {
		delete(b.renewed, entry)
		b.coalesced++
	}
	b.gone[entry] = struct{}{}
	b.bytes += entryCost
}

// renew changes the expiry of an entry, if it is one: registrations have leases too, and no rows.
func (b *batch) renew(id uint64, expires int64) {
	if i, ok := b.live[id]; ok {
		b.puts[i].expires = expires
		b.coalesced++
		return
	}
	if _, ok := b.gone[id]; ok {
		return
	}
	if _, ok := b.renewed[id]; ok {
		b.coalesced++
	}
	b.renewed[id] = expires
	b.bytes += entryCost
}

// reset empties b for the groups that follow previous. It keeps the memory of slices and maps.
func (b *batch) reset(previous *batch) {
	clear(b.puts) // lets go of the rows
	clear(b.kinds)
	clear(b.live)
	clear(b.gone)
	clear(b.renewed)
	*b = batch{
		from: previous.to, to: previous.to, highest: previous.highest,
		kinds: b.kinds, puts: b.puts[:0], live: b.live, gone: b.gone, renewed: b.renewed,
	}
}
