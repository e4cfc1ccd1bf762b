package call

// Grant is a lease as it was given.
type Grant struct {
	ID      uint64 // of the leased entry or registration
	Granted int64  // nanoseconds, at most what was asked for; Forever
}

// Result is the outcome of one call. Err is nil or one of this package's errors, possibly wrapped;
// the other fields are set as the call promises. A Result and all it refers to is valid only while it is handed over.
type Result struct {
	Err     error
	Entries []View  // read, take, contents
	Grants  []Grant // write, commit, renew, notify, begin
	Errs    []error // bulk renew and cancel: one per lease, nil where it was done
	// register, count, prepare; contents, and reads with Hidden: matches that were left out because others have locked
	// them
	Count   int
	Version uint32  // update
	Counts  []int   // kinds: visible entries of each kind, indexed by KindID-1
	Apart   []Apart // kinds: those that are there and not visible, likewise; -1 for one that was dropped
	Seq     uint64  // notify: the number before the registration's first event
	More    bool    // contents: another page follows, from Cursor
	Cursor  Cursor
	Fate    Fate   // fates of transactions and calls
	Depends uint64 // the LSN that must be durable before anyone may see the outcome
}

// Apart counts the entries of a kind that are there and that no call finds.
type Apart struct {
	Held    int // taken or changed under a transaction that is open
	Delayed int // not visible yet
}
