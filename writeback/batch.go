package writeback

import (
	"bytes"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
)

// batch is the net effect of consecutive groups: for every entry only where it ends up. An entry is in one of puts, gone
// and patches. Applied to a database at from, it leaves the database at to.
//
// What makes plain COPY right for puts that are not known: highest is the highest entry that any Put before named, so an
// entry above it has no row.
type batch struct {
	from, to uint64    // the groups after from, up to and including to
	since    int64     // Time of the first group
	stamp    int64     // Time of the last group
	begun    time.Time // when it came
	modes    *kindModes

	kinds   map[uint32]*template.Schema // kinds made known or extended, by the last such record
	puts    []put                       // in the order of the log
	live    map[uint64]int              // entry → its place in puts; of an archive also when it has left
	gone    map[uint64]removal          // entries that may have a row and have left the space
	patches map[uint64]patch            // what has become of entries that have a row
	highest uint64                      // the highest entry ever put, up to and including this batch
	image   bool                        // the groups are of an image: no entry has a row, but in archives
	ties    *ties                       // between entries, or nil: the batch is not to be divided

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
	known   bool // there may be a row of it, which this one replaces
	dead    bool
	left    departure    // of an archive
	row     template.Row // in a chunk of the batch's own
}

// departure is when and how an entry left the space; the zero departure is not yet.
type departure struct {
	at  int64 // nanoseconds since the Unix epoch
	how record.Reason
}

// removal is a departure of an entry that is not put in the same batch.
type removal struct {
	departure
	kind uint32
}

// patch is what of a row has changed.
type patch struct {
	kind    uint32
	expires int64
}

// Estimates of the memory that a record takes besides its row: its place in the slice and in the map.
const (
	putCost   = 120
	entryCost = 48
)

func newBatch(modes *kindModes) *batch {
	return &batch{
		modes:   modes,
		kinds:   make(map[uint32]*template.Schema),
		live:    make(map[uint64]int),
		gone:    make(map[uint64]removal),
		patches: make(map[uint64]patch),
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
	if r.Op != record.Together && r.Op != record.Clock { // which are of no call
		b.records++
	}
	switch r.Op {
	case record.Put, record.PutLater, record.Change, record.Entry:
		b.put(r)
	case record.Remove:
		b.remove(r.ID, r.Kind, departure{at, r.Reason})
	case record.Take, record.TakeMore:
		b.remove(r.Entry, r.Kind, departure{at, record.Taken})
	case record.Renew:
		b.renew(r.ID, r.Kind, r.Expires)
	}
}

func (b *batch) put(r *record.Record) {
	mode := b.modes.of(r.Kind)
	if mode == None {
		return
	}
	known := r.ID <= b.highest
	if b.image {
		known = mode == Append
	}
	if i, ok := b.live[r.ID]; ok {
		known = b.puts[i].known
		b.puts[i].dead = true
		b.coalesced++
	} else if _, ok := b.patches[r.ID]; ok {
		delete(b.patches, r.ID)
		b.coalesced++
	}
	delete(b.gone, r.ID)
	b.highest = max(b.highest, r.ID)
	b.live[r.ID] = len(b.puts)
	b.puts = append(b.puts, put{
		entry: r.ID, expires: r.Expires, visible: r.Visible, kind: r.Kind, known: known, row: template.Row(r.Body),
	})
	b.bytes += putCost
}

// remove notes that an entry has left. One that was put in this batch, above all that were put before, never reaches the
// database, unless that keeps an archive of it.
func (b *batch) remove(entry uint64, kind uint32, left departure) {
	mode := b.modes.of(kind)
	if mode == None {
		return
	}
	if i, ok := b.live[entry]; ok {
		b.coalesced++
		if mode == Append {
			b.puts[i].left = left
			return
		}
		b.puts[i].dead = true
		delete(b.live, entry)
		if !b.puts[i].known {
			b.coalesced++
			return
		}
	}
	if _, ok := b.patches[entry]; ok && mode != Append { // an archive tells its last lease
		delete(b.patches, entry)
		b.coalesced++
	}
	b.gone[entry] = removal{left, kind}
	b.bytes += entryCost
}

// renew changes the expiry of an entry. Registrations have leases too, and no kind.
func (b *batch) renew(entry uint64, kind uint32, expires int64) {
	if kind == 0 || b.modes.of(kind) == None {
		return
	}
	if i, ok := b.live[entry]; ok {
		b.puts[i].expires = expires
		b.coalesced++
		return
	}
	if _, ok := b.gone[entry]; ok {
		return
	}
	if _, ok := b.patches[entry]; ok {
		b.coalesced++
	}
	b.patches[entry] = patch{kind, expires}
	b.bytes += entryCost
}

// replaced returns the entries that are put and may have a row.
func (b *batch) replaced() []uint64 {
	var entries []uint64
	for i := range b.puts {
		if p := &b.puts[i]; p.known && !p.dead {
			entries = append(entries, p.entry)
		}
	}
	return entries
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
	clear(b.gone)
	clear(b.patches)
	if b.ties != nil {
		b.ties.reset()
	}
	*b = batch{
		from: previous.to, to: previous.to, highest: previous.highest, image: previous.image, modes: b.modes, ties: b.ties, largest: b.largest,
		kinds: b.kinds, puts: b.puts[:0], live: b.live, gone: b.gone, patches: b.patches,
	}
}
