// Package engine is the deterministic core of a space: entries, indexes, waiting calls, leases and registrations of one partition.
//
// It has no goroutine, clock, I/O or lock. Time is an argument; every decision is appended to Log as a record, and
// applying the records of one engine to an empty one gives the same state (Hash). DESIGN.md tells how it is built.
package engine

import (
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/internal/store"
	"github.com/gospaces/gospaces/txn"
)

// Engine is one partition in memory. It must not be used concurrently; the results of a call are valid until the next.
type Engine struct {
	// Log takes the records of every change. Whoever owns the engine takes them from here.
	Log []byte
	// Unhurried is up to where Log says nothing but what transactions have taken; whoever empties Log sets it to where that begins. Nobody waits for that.
	Unhurried int
	// Effects are what the last step has brought about.
	Effects

	limits    Limits
	partition uint16
	state
	agenda
	queue
	step
	scratch
}

// Limits are the longest leases that an engine grants, in nanoseconds, and the largest transactions; 0 is without
// limit.
type Limits struct {
	EntryLease        int64
	RegistrationLease int64
	TxnLease          int64
	TxnBytes          int // of the rows that one transaction may write; 0 is without limit
	TxnEntries        int // that one transaction may hold: it has read, taken, written or changed them; 0 is without limit
}

// Config says which partition an engine is, and what its limits are.
type Config struct {
	Partition uint16 // its number in its space, which its identities carry
	Limits    Limits
}

// New returns an empty engine, the first change of which has the number after lsn.
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
			decisions:     map[uint64][]txn.Address{},
			sessions:      newSessions(base),
			fates:         fates{first: base / fatePageIDs},
			lastID:        base,
		},
		agenda: agenda{txnTicks: map[int64]*transaction{}, ending: map[int64][]uint64{}},
		queue:  queue{nowhere: newKind(st, nowhere), named: byName{}, blocked: map[*transaction]struct{}{}},
	}
}

// LSN returns the number of the last change. It rises by one with every call that changes anything.
func (e *Engine) LSN() uint64 { return e.lsn }

// NextExpiry returns when Expire is next worth calling, in nanoseconds since the Unix epoch, or Forever.
func (e *Engine) NextExpiry() int64 {
	if len(e.deadlines) == 0 || e.deadlines[0].tick >= call.Forever>>tickShift {
		return call.Forever // the last tick has no end that a number holds
	}
	return (e.deadlines[0].tick + 1) << tickShift
}

// Expire removes what has expired, or some of it: NextExpiry is then over. Every other call does so too.
func (e *Engine) Expire(now int64) { e.begin(now) }

// begin starts a call: it forgets the results of the last one and removes what has expired.
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

// change notes that the current call changes the state; records belong to its LSN.
func (e *Engine) change() {
	if !e.dirty {
		e.dirty = true
		e.lsn++
	}
}

// remove takes an entry out of the space, whatever its state, and sees to those who waited for a lock on it. Its row stays
// readable until the next call.
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

// drop removes an entry that the log knows, tells so and records why.
func (e *Engine) drop(k *kind, s slot, why record.Reason) {
	e.tell(k, s, endings[why])
	e.erase(k, s, why)
}

// erase removes an entry and records why.
func (e *Engine) erase(k *kind, s slot, why record.Reason) {
	e.change()
	e.Log = record.AppendRemove(e.Log, k.At(s).ID, k.id, why)
	k.delete(e, s)
}

// take takes an entry out of the space for a call, which has taken others before if more is set. Its row stays readable until the next call.
func (e *Engine) take(k *kind, s slot, by call.Request, more bool) {
	e.tell(k, s, call.Taken)
	e.took(by, k.view(e, s), more)
	k.delete(e, s)
}

// endings are the events that tell why an entry is gone.
var endings = [...]call.EventType{
	record.Taken: call.Taken, record.Expired: call.Expired,
	record.Cancelled: call.Cancelled,
}

// view shows the entry in slot s.
func (k *kind) view(e *Engine, s slot) call.View {
	en := k.At(s)
	v := call.View{ID: en.ID, Kind: k.id, Row: e.store.Row(en.Row, en.Size), Version: en.Version, Attempts: en.Attempts}
	if en.Attempts > 0 {
		v.Died = k.deaths[s]
	}
	return v
}

// before shows the entry in slot s without the change that a transaction has made to it.
func (k *kind) before(e *Engine, s slot) call.View {
	v := k.view(e, s)
	if k.At(s).State == changed {
		v.Row = k.oldRow(e, k.locks[s])
		v.Version--
	}
	return v
}

// nextID returns a new identity.
func (e *Engine) nextID() uint64 {
	e.lastID++
	return e.lastID
}

// until returns when a lease of d that starts now ends.
func (e *Engine) until(d int64) int64 { return after(e.now, d) }

// after returns when a lease of d that starts at a time ends. The end of one that is longer than time goes is the last instant before
// Forever: a lease is never longer than was asked for.
func after(start, d int64) int64 {
	switch {
	case d == call.Forever:
		return call.Forever
	case d >= call.Forever-start:
		return call.Forever - 1
	}
	return start + d
}

// granted returns what is left of a lease that ends at expires.
func (e *Engine) granted(expires int64) int64 { return between(e.now, expires) }

// between returns the length of a lease that starts at a time and ends at expires.
func between(start, expires int64) int64 {
	if expires == call.Forever {
		return call.Forever
	}
	return max(0, expires-start)
}

// capped returns the lease that is granted for d.
func capped(d, limit int64) int64 {
	if limit > 0 {
		return min(d, limit)
	}
	return d
}
