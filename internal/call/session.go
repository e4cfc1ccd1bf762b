package call

import "cmp"

// Client identifies a client for its lifetime: a random number, unique to it.
type Client [16]byte

// Request identifies a call in a client's session, so that a repeated call returns the outcome of the first. The zero
// Request belongs to a call that is never repeated.
type Request struct {
	Session uint64 // the partition's number of it
	Number  uint64
}

// OpenTxn is an open transaction, and the call that began it.
type OpenTxn struct {
	Number, Call uint64
}

// Compare orders transactions by number.
func (o OpenTxn) Compare(other OpenTxn) int { return cmp.Compare(o.Number, other.Number) }

// Fate is the outcome of a transaction, or of a call, which is a transaction by itself. The numbers are part of the
// wire protocol: append only.
type Fate uint8

// Outcomes of a transaction.
const (
	Unknown   Fate = 0 // not known here, or no longer known
	Undecided Fate = 1 // it may still commit
	Committed Fate = 2
	Aborted   Fate = 3 // it has changed nothing, and never will
)
