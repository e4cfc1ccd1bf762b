package call

import (
	"time"

	"github.com/gospaces/gospaces/txn"
)

// Grant is a granted lease.
type Grant struct {
	ID      uint64 // of the leased entry or registration
	Granted int64  // nanoseconds, at most the requested lease; Forever
}

// Result is the result of one call. Err is nil or one of this package's errors, possibly wrapped; the other fields are
// set as the call promises. A Result and everything it refers to is valid only during the function that receives it.
type Result struct {
	Err     error
	Entries []View  // read, take, contents
	Grants  []Grant // write, commit, renew, notify, begin
	Errs    []error // bulk renew and cancel: one per lease, nil on success
	// register, count, prepare; contents, and reads with Hidden: matches left out because others have locked them
	Count   int
	Version uint32  // update
	Counts  []int   // kinds: visible entries of each kind, indexed by KindID-1
	Apart   []Apart // kinds: entries of each kind that are not visible, likewise; -1 for a dropped kind
	Seq     uint64  // notify: the number before the registration's first event; snapshot: the position in the log
	More    bool    // contents: another page follows, from Cursor
	Cursor  Cursor
	Waited  time.Duration // find that has begun transactions: how long after the call came
	Report  *Report       // of calls that ask about a server, or about a partition as a whole
	Fate    Fate          // fates of transactions and calls
	Depends uint64        // the LSN that must be durable before the result is shown
}

// Report tells of a server, or of a partition as a whole.
type Report struct {
	ID            uint64         // of a backup
	Parts         []BackupPart   // of a backup
	Size          uint64         // of a snapshot, in bytes
	Body          []byte         // of a status; a piece of a snapshot
	Names         []string       // of spaces
	Registrations []Registration // a page of them
	Topology      *Topology
}

// BackupPart is one partition in a backup.
type BackupPart struct {
	At       txn.Address
	Of       int    // number of partitions of the space
	Position uint64 // of the last change that it includes, in the log of the partition
}

// Apart counts the entries of a kind that exist but that no call finds.
type Apart struct {
	Held    int // taken or changed under an open transaction
	Delayed int // not visible yet
}
