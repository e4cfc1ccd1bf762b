package writeback

import (
	"bytes"
	"fmt"
	"time"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
)

// batch is the net effect of consecutive groups: the final state of every entry. An entry is in one of puts, gone and
// patches, except when both its fields and something else have changed. Applied to a database at from, a batch leaves
// the database at to.
//
// Plain COPY is safe for puts that are not known: highest is the highest entry of any earlier Put, so an entry above it
// has no row.
type batch struct {
	from, to uint64    // the groups after from, up to and including to
	since    int64     // Time of the first group
	stamp    int64     // Time of the last group
	begun    time.Time // when the first group arrived
	modes    *kindModes

	dropped []uint32                    // dropped kinds, which have no entries and will never have any
	kinds   map[uint32]*template.Schema // new or extended kinds, with their latest schemas
	puts    []put                       // in the order of the log
	live    map[uint64]int              // entry → its index in puts; for archives also after it has left
	gone    map[uint64]removal          // entries that may have a row and have left the space
	patches map[uint64]patch            // changes of entries that have a row
	highest uint64                      // the highest entry of any Put, including this batch
	image   bool                        // the groups are from an image: no entry has a row, except in archives
	ties    *ties                       // between entries; nil: the batch is not divided

	records   int   // number read, of any type
	size      int64 // bytes of these in the log
	bytes     int   // approximate memory in use
	coalesced uint64
	largest   int // maximum number of records at a time since the memory was allocated
}

// put is an entry to be stored, or one that was put and has left.
type put struct {
	entry    uint64
	expires  int64
	visible  int64 // when it becomes visible, if it was written with a delay; else 0
	kind     uint32
	known    bool // it may already have a row, which this one replaces
	amends   bool // only its fields and its expiry change; the rest of its row stays
	dead     bool
	left     departure    // for an archive
	standing              // unless amends is set
	row      template.Row // in a chunk owned by the batch
}

// standing is the availability of an entry in the space.
type standing struct {
	state    string // ready, held or delayed
	holder   []byte // of a held entry; in a chunk owned by the batch
	attempts uint32
}

// States of an entry.
const (
	ready   = "ready"
	held    = "held"
	delayed = "delayed"
)

// arrived returns the state of a new entry.
func arrived(visible int64) string {
	if visible != 0 {
		return delayed
	}
	return ready
}

// departure is when and how an entry left the space; the zero departure means that it has not.
type departure struct {
	at  int64 // nanoseconds since the Unix epoch
	how record.Reason
}

// removal is the departure of an entry that is not put in the same batch.
type removal struct {
	departure
	kind uint32
}

// patch is the changed part of a row other than fields.
type patch struct {
	kind     uint32
	renewed  bool // expires has changed
	counted  bool // attempts has changed
	expires  int64
	visible  int64 // visible from, for the state
	standing       // state is "" if state, holder and visible are unchanged
}

func (p *patch) become(state string, holder []byte, visible int64) *patch {
	p.state, p.holder, p.visible = state, holder, visible
	return p
}

func (p *patch) count(attempts uint32) { p.counted, p.attempts = true, attempts }

// Estimated memory of a record besides its row: its entries in the slice and in the map.
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

// add adds g, all of it or, if it returns an error, nothing.
func (b *batch) add(g record.Group) error {
	kinds, dropped, err := decodeKinds(g)
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
	b.dropped = append(b.dropped, dropped...)
	// One copy for all rows of the group: a group is as large as a batch, or much smaller.
	rest := bytes.Clone(g.Records)
	b.bytes += len(rest)
	b.size += int64(len(rest))
	if b.ties != nil {
		b.bytes += entryCost * b.ties.add(rest)
	}
	var r record.Record
	for len(rest) > 0 {
		rest, _ = record.Next(rest, &r) // decodeKinds has checked for errors
		b.apply(&r, g.Time)
	}
	b.to, b.stamp = g.Position, g.Time
	return nil
}

// decodeKinds returns the schemas in g, by kind, and the kinds that it drops. It returns an error if any record of g
// cannot be decoded.
func decodeKinds(g record.Group) (kinds map[uint32]*template.Schema, dropped []uint32, err error) {
	var r record.Record
	for rest := g.Records; len(rest) > 0; {
		if rest, err = record.Next(rest, &r); err != nil {
			return nil, nil, fmt.Errorf("group %d of the log: %w", g.Position, err)
		}
		if r.Op == record.Drop {
			dropped = append(dropped, r.Kind)
		}
		if r.Op != record.Kind {
			continue
		}
		schema, err := template.DecodeSchema(r.Body)
		if err != nil {
			return nil, nil, fmt.Errorf("group %d of the log: kind %d: %w", g.Position, r.Kind, err)
		}
		if kinds == nil {
			kinds = make(map[uint32]*template.Schema)
		}
		kinds[r.Kind] = schema
	}
	return kinds, dropped, nil
}

// apply applies one record. An entry that is not visible yet has a row like any other. Registrations and events have no
// effect on the database, nor has a transaction before it commits.
func (b *batch) apply(r *record.Record, at int64) {
	switch r.Op {
	case record.Together, record.Noop, record.Audit, record.Checksum: // they belong to no call
		return
	}
	b.records++
	switch r.Op {
	case record.Put, record.PutLater, record.Entry:
		b.put(r)
	case record.Change:
		b.change(r)
	case record.Remove:
		b.remove(r.ID, r.Kind, departure{at, r.Reason})
	case record.Take, record.TakeMore:
		b.remove(r.Entry, r.Kind, departure{at, record.Taken})
	case record.Renew:
		b.patch(r.ID, r.Kind, func(p *patch) { p.renewed, p.expires = true, r.Expires })
	case record.Hold:
		b.patch(r.Entry, r.Kind, func(p *patch) { p.become(held, r.Body, 0) })
	case record.Release:
		b.patch(r.ID, r.Kind, func(p *patch) { p.become(ready, nil, 0).count(r.Tries) })
	case record.Defer:
		b.patch(r.ID, r.Kind, func(p *patch) { p.become(delayed, nil, r.Visible).count(r.Tries) })
	case record.Reveal:
		b.patch(r.ID, r.Kind, func(p *patch) { p.become(ready, nil, 0) })
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
		standing: standing{state: arrived(r.Visible), attempts: r.Tries},
	})
	b.bytes += putCost
}

// change replaces the fields of an entry. The entry keeps its state.
func (b *batch) change(r *record.Record) {
	if b.modes.of(r.Kind) == None {
		return
	}
	if p, ok := b.patches[r.ID]; ok { // the expiry of r replaces the patched one
		p.renewed = false
		b.patches[r.ID] = p
	}
	if i, ok := b.live[r.ID]; ok {
		b.puts[i].expires, b.puts[i].row = r.Expires, template.Row(r.Body)
		b.coalesced++
		return
	}
	delete(b.gone, r.ID)
	b.highest = max(b.highest, r.ID)
	b.live[r.ID] = len(b.puts)
	b.puts = append(b.puts, put{
		entry: r.ID, expires: r.Expires, kind: r.Kind, known: true, amends: true, row: template.Row(r.Body),
		standing: standing{state: ready},
	})
	b.bytes += putCost
}

// remove records that an entry has left. An entry that was put in this batch and is above all earlier puts never
// reaches the database, unless its kind is archived.
func (b *batch) remove(entry uint64, kind uint32, left departure) {
	mode := b.modes.of(kind)
	if mode == None {
		return
	}
	if i, ok := b.live[entry]; ok {
		b.coalesced++
		switch p := &b.puts[i]; {
		case mode == Append && !p.amends:
			p.left = left
			return
		case mode != Append:
			p.dead = true
			delete(b.live, entry)
			if !p.known {
				b.coalesced++
				return
			}
		}
	}
	if _, ok := b.patches[entry]; ok && mode != Append { // an archive shows its last lease
		delete(b.patches, entry)
		b.coalesced++
	}
	b.gone[entry] = removal{left, kind}
	b.bytes += entryCost
}

// patch changes what is known of an entry besides its fields. It ignores the leases of registrations and transactions,
// which have no kind.
func (b *batch) patch(entry uint64, kind uint32, set func(*patch)) {
	if kind == 0 || b.modes.of(kind) == None {
		return
	}
	if _, ok := b.gone[entry]; ok {
		return
	}
	i, live := b.live[entry]
	if live && !b.puts[i].amends {
		b.puts[i].patched(set)
		b.coalesced++
		return
	}
	p, ok := b.patches[entry]
	if ok {
		b.coalesced++
	}
	p.kind = kind
	set(&p)
	if live && p.renewed {
		b.puts[i].expires = p.expires
	}
	b.patches[entry] = p
	b.bytes += entryCost
}

// patched applies a patch to a put entry.
func (p *put) patched(set func(*patch)) {
	var c patch
	set(&c)
	if c.renewed {
		p.expires = c.expires
	}
	if c.state != "" {
		p.state, p.holder, p.visible = c.state, c.holder, c.visible
	}
	if c.counted {
		p.attempts = c.attempts
	}
}

// replaced returns the put entries that may already have a row.
func (b *batch) replaced() []uint64 {
	var entries []uint64
	for i := range b.puts {
		if p := &b.puts[i]; p.known && !p.dead {
			entries = append(entries, p.entry)
		}
	}
	return entries
}

// reset empties b for the groups that follow previous. It keeps the memory of slices and maps, unless that was needed
// for a much larger batch: a backlog must not keep its memory after it is worked off.
func (b *batch) reset(previous *batch) {
	if b.largest = max(b.largest, b.records); b.largest > 16*max(b.records, 1000) {
		ties := b.ties
		*b = *newBatch(b.modes)
		if ties != nil {
			b.ties = newTies()
		}
	}
	clear(b.puts) // releases the rows
	clear(b.kinds)
	clear(b.live)
	clear(b.gone)
	clear(b.patches)
	if b.ties != nil {
		b.ties.reset()
	}
	*b = batch{
		from: previous.to, to: previous.to, highest: previous.highest, image: previous.image, modes: b.modes, ties: b.ties,
		largest: b.largest,
		kinds:   b.kinds, dropped: b.dropped[:0], puts: b.puts[:0], live: b.live, gone: b.gone, patches: b.patches,
	}
}
