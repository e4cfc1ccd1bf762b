package writeback

import (
	"bytes"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
)

// batch is the net effect of consecutive groups: for every entry only where it ends up. Applied to a database at from,
// first replaced and gone, then renewed, then puts, it leaves the database at to.
//
// What makes plain COPY right for puts: highest is the highest entry that any Put before named, so an entry above it has
// no row anywhere; and one that is not above it is among replaced.
type batch struct {
	from, to uint64    // the groups after from, up to and including to
	since    int64     // Time of the first group
	stamp    int64     // Time of the last group
	begun    time.Time // when it came
	modes    *kindModes

	kinds    map[uint32]*template.Schema // kinds made known or extended, by the last such record
	puts     []put                       // in the order of the log
	live     map[uint64]int              // entry → its place in puts, or absent; of an archive also when it has left
	replaced map[uint64]struct{}         // entries that may have a row, which gives way to what is in puts
	gone     map[uint64]departure        // entries that may have a row and have left the space
	renewed  map[uint64]int64            // entry that may have a row → its new expiry; none of it is live or replaced
	highest  uint64                      // the highest entry ever put, up to and including this batch
	ties     *ties                       // between entries, or nil: the batch is not to be divided

	records   int   // read, of whatever sort
	size      int64 // bytes of them in the log
	bytes     int   // memory in use, about
	coalesced uint64
	largest   int // records there were at a time since the memory was made
}

// put is an entry to be stored, or one that was to be and is dead.
type put struct {
	entry   uint64
	expires int64
	visible int64 // from when on, if it was written with a delay; else 0
	kind    uint32
	dead    bool
	left    departure    // of an archive
	row     template.Row // in a chunk of the batch's own
}

// departure is when and how an entry left the space; the zero departure is not yet.
type departure struct {
	at  int64 // nanoseconds since the Unix epoch
	how record.Reason
}

// absent is the place in puts of an entry that never touches the database.
const absent = -1

// Estimates of the memory that a record takes besides its row: its place in the slice and in the map.
const (
	putCost   = 120
	entryCost = 48
)

func newBatch(modes *kindModes) *batch {
	return &batch{
		modes:    modes,
		kinds:    make(map[uint32]*template.Schema),
		live:     make(map[uint64]int),
		replaced: make(map[uint64]struct{}),
		gone:     make(map[uint64]departure),
		renewed:  make(map[uint64]int64),
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
	for kind, schema := range kinds {
		b.kinds[kind] = schema
		b.modes.learn(kind, schema.Kind)
	}
	// One copy for all rows of the group: a group is as large as a batch should be, or much smaller.
	rest := bytes.Clone(g.Records)
	b.bytes += len(rest)
	b.size += int64(len(rest))
	if b.ties != nil {
		b.bytes += entryCost * b.ties.add(rest)
	}
	var r record.Record
	for len(rest) > 0 {
		rest, _ = record.Next(rest, &r) // decodeKinds has seen that there is no error
		b.apply(&r, g.Time)
	}
	b.to, b.stamp = g.Position, g.Time
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
func (b *batch) apply(r *record.Record, at int64) {
	if r.Op != record.Together {
		b.records++
	}
	switch r.Op {
	case record.Put, record.PutLater, record.Change, record.Entry:
		b.put(r)
	case record.Remove:
		b.remove(r.ID, departure{at, r.Reason})
	case record.Take, record.TakeMore:
		b.remove(r.Entry, departure{at, record.Taken})
	case record.Renew:
		b.renew(r.ID, r.Expires)
	}
}

func (b *batch) put(r *record.Record) {
	if b.modes.of(r.Kind) == None {
		b.live[r.ID] = absent
		b.bytes += entryCost
		return
	}
	if r.ID <= b.highest {
		b.replace(r.ID)
	}
	b.highest = max(b.highest, r.ID)
	b.live[r.ID] = len(b.puts)
	b.puts = append(b.puts, put{entry: r.ID, expires: r.Expires, visible: r.Visible, kind: r.Kind, row: template.Row(r.Body)})
	b.bytes += putCost
}

// replace forgets what an entry was, because it is put again.
func (b *batch) replace(entry uint64) {
	if i, ok := b.live[entry]; ok && i != absent {
		b.puts[i].dead = true
		b.coalesced++
		return
	}
	if _, ok := b.renewed[entry]; ok {
		delete(b.renewed, entry)
		b.coalesced++
	}
	delete(b.gone, entry)
	b.replaced[entry] = struct{}{}
	b.bytes += entryCost
}

// remove notes that an entry has left. One that was put in this batch, above all that were put before, never reaches the
// database, unless that keeps an archive of it.
func (b *batch) remove(entry uint64, left departure) {
	if i, ok := b.live[entry]; ok {
		b.removeLive(entry, i, left)
		return
	}
	if _, ok := b.replaced[entry]; ok {
		return
	}
	if _, ok := b.renewed[entry]; ok && !b.modes.append { // an archive tells its last lease
		delete(b.renewed, entry)
		b.coalesced++
	}
	b.gone[entry] = left
	b.bytes += entryCost
}

func (b *batch) removeLive(entry uint64, i int, left departure) {
	b.coalesced += 2
	if i == absent {
		delete(b.live, entry)
		return
	}
	if p := &b.puts[i]; b.modes.of(p.kind) == Append {
		p.left = left
		b.coalesced--
		return
	}
	b.puts[i].dead = true
	delete(b.live, entry)
}

// renew changes the expiry of an entry, if it is one: registrations have leases too, and no rows.
func (b *batch) renew(id uint64, expires int64) {
	if i, ok := b.live[id]; ok {
		if i != absent {
			b.puts[i].expires = expires
		}
		b.coalesced++
		return
	}
	if _, ok := b.gone[id]; ok {
		return
	}
	if _, ok := b.replaced[id]; ok {
		return
	}
	if _, ok := b.renewed[id]; ok {
		b.coalesced++
	}
	b.renewed[id] = expires
	b.bytes += entryCost
}

// reset empties b for the groups that follow previous. It keeps the memory of slices and maps, unless that was for much more than there was
// last: a backlog that is worked off must not hold memory for good.
func (b *batch) reset(previous *batch) {
	if b.largest = max(b.largest, b.records); b.largest > 16*max(b.records, 1000) {
		ties := b.ties
		*b = *newBatch(b.modes)
		if ties != nil {
			b.ties = newTies()
		}
	}
	clear(b.puts) // lets go of the rows
	clear(b.kinds)
	clear(b.live)
	clear(b.replaced)
	clear(b.gone)
	clear(b.renewed)
	if b.ties != nil {
		b.ties.reset()
	}
	*b = batch{
		from: previous.to, to: previous.to, highest: previous.highest, modes: b.modes, ties: b.ties, largest: b.largest,
		kinds: b.kinds, puts: b.puts[:0], live: b.live, replaced: b.replaced, gone: b.gone, renewed: b.renewed,
	}
}
