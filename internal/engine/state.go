package engine

import (
	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/store"
	"github.com/gospaces/gospaces/txn"
)

// state is what the log carries: records and images rebuild it, and engines that have applied the same records have the
// same state (Hash). Of transactions it includes only what survives a restart.
type state struct {
	lsn   uint64       // of the last change
	store *store.Store // of the entries

	kinds  []*kind // by KindID-1
	byName map[string]call.KindID

	registrations map[uint64]*registration
	enrolled      roll[*registration] // the same, as a list
	wanted        [16]int             // number of registrations for each type of event
	watched       int64               // bytes of their queries

	txns      map[uint64]*transaction
	branches  map[txn.ID]uint64         // branches of transactions of other spaces, by the IDs of these
	doubtful  map[*transaction]struct{} // branches that are prepared
	decisions map[uint64][]txn.Address  // committed transactions that not all participants know of
	fates     fates
	sessions  sessions

	lastID     uint64 // highest identity of entries, registrations and transactions
	reserved   uint64 // identities up to this one may be in use although the log does not name them
	reservedAt uint64 // LSN of the record that reserves them, or the last page of transactions
	lastTxn    uint64 // identities of transactions up to this one may be in use
	lastOrder  uint64

	seed *Loading // of which the end is still to come, or nil
}

// agenda lists the ends of leases and delays. It is derived from the state.
type agenda struct {
	now       int64 // rises
	deadlines deadlines
	txnTicks  map[int64]*transaction // by tick, the first transaction whose lease ends in it
	ending    map[int64][]uint64     // registrations and delayed entries by the tick of their end
}

// queue is the waiting calls and the work beside calls. It ends with the process.
type queue struct {
	anyKind  watch // waiting calls and registrations for entries of every kind
	nowhere  *kind // the kind of templates that match nothing yet
	named    byName
	arrivals uint64
	blocked  map[*transaction]struct{} // transactions with waiting calls

	reservations int // of entries

	searches []*Search // in progress
	image    *Image    // in progress, or nil
	images   uint16    // counter
}

// step belongs to the current call. Except for the counters, no call reads what another one left.
type step struct {
	calls uint64 // counter
	dirty bool   // it changed something
	left  int    // of its budget, in entries to examine
	spare int    // of the budget of the waiting calls that it serves

	finding *transaction // of the current find
	taking  bool         // the current find is a take

	offers    uint64         // counter
	revealing bool           // the current offer is of an entry that was delayed
	undealt   []held         // see deal
	pending   []pending      // see offerPending
	promoted  []*lock        // became take locks of transactions whose own calls wait for them; see settle
	suspects  []*transaction // see breakDeadlock
	letGo     bool           // it ended a lock, or changed the entry of one
}

// scratch is memory reused by calls.
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
