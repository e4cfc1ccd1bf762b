// Package engine is the deterministic core of a space: entries, indexes, waiting calls, leases and registrations of one
// partition.
//
// It has no goroutine, clock, I/O or lock. Time is an argument; every decision is appended to Log as a record, and
// applying the records of one engine to an empty one gives the same state (Hash). DESIGN.md describes the design.
package engine

import (
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/internal/store"
	"github.com/gospaces/gospaces/txn"
)

// Engine is one partition in memory. It must not be used concurrently. Results of a call are valid until the next call.
type Engine struct {
	// Log receives the records of every change. The owner of the engine removes them.
	Log []byte
	// Unhurried is the length of the prefix of Log that records only what transactions have taken; no call waits for it.
	// When the owner empties Log it sets Unhurried to the start of what follows.
	Unhurried int
	// Changes counts what the records of the current call change. The owner of the engine marks the call with it.
	Changes record.Changes
	// Effects are the consequences of the last step.
	Effects

	limits    Limits
	partition uint16
	state
	agenda
	queue
	step
	scratch
}

// Limits are the longest leases that an engine grants, in nanoseconds, and the largest transactions; 0 means no limit.
type Limits struct {
	EntryLease        int64
	RegistrationLease int64
	TxnLease          int64
	TxnBytes          int // rows that one transaction may write, in bytes; 0 means no limit
	TxnEntries        int // entries that one transaction may hold (read, taken, written or changed); 0 means no limit
}

// Config names the partition that an engine holds, and its limits.
type Config struct {
	Partition uint16 // its number in its space, which is part of its identities
	Limits    Limits
}

// New returns an empty engine. Its first change has the number after lsn.
func New(cfg Config, lsn uint64) *Engine {
	base := txn.IDBase(cfg.Partition)
	st := store.New()
	return &Engine{
		limits:    cfg.Limits,
		partition: cfg.Partition,
		state: state{
			lsn:           lsn,
			store:         st,
			byName:        map[string]call.KindID{},
			registrations: map[uint64]*registration{},
			txns:          map[uint64]*transaction{},
			branches:      map[txn.ID]uint64{},
			doubtful:      map[*transaction]struct{}{},
			decisions:     map[uint64][]txn.Address{},
			sessions:      newSessions(base),
			fates:         fates{first: base / fatePageIDs},
			lastID:        base,
			lastTxn:       base - 1,
		},
		agenda: agenda{txnTicks: map[int64]*transaction{}, ending: map[int64][]uint64{}},
		queue:  queue{nowhere: newKind(st, nowhere), named: byName{}, blocked: map[*transaction]struct{}{}},
	}
}

// LSN returns the number of the last change. It increases by one with every call that changes anything.
func (e *Engine) LSN() uint64 { return e.lsn }

// NextExpiry returns when Expire should be called next, in nanoseconds since the Unix epoch, or Forever.
func (e *Engine) NextExpiry() int64 {
	if len(e.deadlines) == 0 || e.deadlines[0].tick >= call.Forever>>tickShift {
		return call.Forever // the end of the last tick does not fit into an int64
	}
	return (e.deadlines[0].tick + 1) << tickShift
}

// Expire removes what has expired, or part of it: if NextExpiry is still in the past, call it again. Every other call
// removes expired state too.
func (e *Engine) Expire(now int64) { e.begin(now) }

// begin starts a call: it clears the results of the last one and removes what has expired.
func (e *Engine) begin(now int64) {
	e.now = max(e.now, now)
	e.calls++
	e.dirty = false
	e.store.Collect()
	e.Effects.Reset()
	e.views, e.grants, e.errs, e.counts, e.apart = e.views[:0], e.grants[:0], e.errs[:0], e.counts[:0], e.apart[:0]
	e.left, e.spare = unbounded, grabBudget
	if e.late() {
		e.reclaim(reclaims)
	}
	e.settle()
}

// change records that the current call changes the state; its records belong to the new LSN.
func (e *Engine) change() {
	if !e.dirty {
		e.dirty = true
		e.lsn++
	}
}

// Noop appends a change to Log that changes nothing, for its place in the log. It may follow the other changes of a
// call.
func (e *Engine) Noop() {
	e.Log = record.AppendNoop(e.aside())
}

// aside returns Log for a record that changes nothing.
func (e *Engine) aside() []byte {
	e.dirty = true
	e.lsn++
	return e.Log
}

// BeginAudit appends to Log that replicas are to compare their states with the one that there is now. It must be the
// last change in a message.
func (e *Engine) BeginAudit() { e.Log = record.AppendAudit(e.aside()) }

// TellChecksum appends the checksum of the state at an Audit record to Log.
func (e *Engine) TellChecksum(of Checked) {
	e.Log = record.AppendChecksum(e.aside(), of.Position, of.Sum)
}

// remove removes an entry from the space, whatever its state, and handles the calls that wait for its lock. The row
// stays readable until the next call.
func (e *Engine) remove(k *kind, s slot, why record.Reason) {
	e.keepImage(k, s)
	if k.At(s).State == written && !k.locks[s].owner.prepared {
		k.delete(e, s)
	} else {
		e.drop(k, s, why)
	}
	if l := k.unlock(s); l != nil {
		e.store.Discard(l.oldRow)
		e.settled(l)
	}
}

// drop removes an entry that the log knows, sends the event and records the reason.
func (e *Engine) drop(k *kind, s slot, why record.Reason) {
	e.tell(k, s, endings[why])
	e.erase(k, s, why)
}

// erase removes an entry and records the reason.
func (e *Engine) erase(k *kind, s slot, why record.Reason) {
	e.change()
	if why != record.Expired {
		e.Changes.Add(k.At(s).ID)
	}
	e.Log = record.AppendRemove(e.Log, k.At(s).ID, k.id, why)
	k.delete(e, s)
}

// take removes an entry from the space for a call; more is set if the call has taken others before. The row stays
// readable until the next call.
func (e *Engine) take(k *kind, s slot, by call.Request, more bool) {
	e.tell(k, s, call.Taken)
	e.took(by, k.view(e, s), more)
	k.delete(e, s)
}

// endings are the events for the reasons of a removal.
var endings = [...]call.EventType{
	record.Taken: call.Taken, record.Expired: call.Expired,
	record.Cancelled: call.Cancelled,
}

// view returns the entry in slot s.
func (k *kind) view(e *Engine, s slot) call.View {
	en := k.At(s)
	v := call.View{ID: en.ID, Kind: k.id, Row: e.store.Row(en.Row, en.Size), Version: en.Version, Attempts: en.Attempts}
	if en.Attempts > 0 {
		v.Died = k.deaths[s]
	}
	return v
}

// before returns the entry in slot s without the uncommitted change of a transaction.
func (k *kind) before(e *Engine, s slot) call.View {
	v := k.view(e, s)
	if k.At(s).State == changed {
		v.Row = k.oldRow(e, k.locks[s])
		v.Version--
	}
	return v
}

// until returns the end of a lease of d that starts now.
func (e *Engine) until(d int64) int64 { return after(e.now, d) }

// after returns the end of a lease of d that starts at a time. An end beyond the range of time is the last instant
// before Forever: a lease is never longer than requested.
func after(start, d int64) int64 {
	switch {
	case d == call.Forever:
		return call.Forever
	case d >= call.Forever-start:
		return call.Forever - 1
	}
	return start + d
}

// granted returns the rest of a lease that ends at expires.
func (e *Engine) granted(expires int64) int64 { return between(e.now, expires) }

// between returns the length of a lease from start to expires.
func between(start, expires int64) int64 {
	if expires == call.Forever {
		return call.Forever
	}
	return max(0, expires-start)
}

// capped returns d limited to the longest lease.
func capped(d, limit int64) int64 {
	if limit > 0 {
		return min(d, limit)
	}
	return d
}
