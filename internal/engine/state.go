package engine

import (
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/store"
	"github.com/gospaces/gospaces/txn"
)

// state is what the log carries: records and images make it anew, and engines that have applied the same records have
// the same (Hash). Of transactions that holds only for what outlasts a restart.
type state struct {
	lsn   uint64       // of the last change
	store *store.Store // of the entries

	kinds  []*kind // by KindID-1
	byName map[string]call.KindID

	registrations map[uint64]*registration
	enrolled      roll[*registration] // the same
	wanted        [16]int             // registrations for events of each type
	watched       int64               // bytes of their queries

	txns      map[uint64]*transaction
	branches  map[txn.ID]uint64        // transactions here that are branches of others, by the names of those
	decisions map[uint64][]txn.Address // committed transactions whose participants may not know that yet
	fates     fates
	sessions  sessions

	lastID     uint64 // identities of entries, registrations and transactions
	reserved   uint64 // identities up to this one may be in use though the log does not name them
	reservedAt uint64 // LSN of the record that says so
	lastOrder  uint64
}

// agenda is what follows from the state with time: it says when something ends, and is made anew with the state.
type agenda struct {
	now       int64 // rises
	deadlines deadlines
	txnTicks  map[int64]*transaction // the first of those whose leases end in a tick
	ending    map[int64][]uint64     // registrations and delayed entries, by the tick in which something ends for them
}

// queue is who waits, and what goes on beside the calls. It ends with the process.
type queue struct {
	anyKind  watch // waiting calls and registrations for entries of every kind
	nowhere  *kind // where templates look that match nothing yet
	named    byName
	arrivals uint64
	blocked  map[*transaction]struct{} // those under which calls wait

	searches []*Search // under way
	image    *Image    // that is being made, or nil
	images   uint16    // counts them
}

// step is what belongs to the call that is under way. But for its counters, no call reads what another one has left in
// it.
type step struct {
	calls uint64 // counts them
	dirty bool   // it has changed something
	left  int    // of its budget, in entries that are looked at
	spare int    // of the budget of the waiting calls that it serves

	finding *transaction // of the present find
	taking  bool         // the present find is a take

	offers    uint64         // counts them
	revealing bool           // the present offer is of an entry that was put earlier
	undealt   []held         // see deal
	pending   []pending      // see offerPending
	promoted  []*lock        // that have become take locks of transactions whose own calls wait for them; see settle
	suspects  []*transaction // see breakDeadlock
	letGo     bool           // it has ended a lock, or changed what it locks
}

// scratch is memory that calls use again.
type scratch struct {
	spareLocks []*lock
	hits       []hit
	scanning   []scan
	views      []call.View
	grants     []call.Grant
	errs       []error
	counts     []int
	apart      []call.Apart
	body       []byte // of a record
}
