package call

import "cmp"

// Client is what a client calls itself, for as long as it lives: a random number that no other knows.
type Client [16]byte

// Request identifies a call among those of a client's session, so that its outcome can be told again when the client
// has not heard it. The zero Request is of a call that is never repeated.
type Request struct {
	Session uint64 // as the partition has numbered it
	Number  uint64
}

// OpenTxn is an open transaction, and the call that began it.
type OpenTxn struct {
	Number, Call uint64
}

// Compare orders transactions by number.
func (o OpenTxn) Compare(other OpenTxn) int { return cmp.Compare(o.Number, other.Number) }

// Fate is what has become of a transaction, or of a call, which is one of its own. The numbers are on the wire; they
// are append only.
type Fate uint8

// What can have become of a transaction.
const (
	Unknown   Fate = 0 // it is not known here, or not any more
	Undecided Fate = 1 // it may still commit
	Committed Fate = 2
	Aborted   Fate = 3 // it has changed nothing, and never will
)
