package call

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/gospaces/gospaces/txn"
)

// Errors of calls. Package space re-exports those that its callers may get.
var (
	ErrNoMatch         = errors.New("space: no match")
	ErrInvalidArgument = errors.New("space: invalid argument")
	ErrLeaseEnded      = errors.New("space: lease ended")
	ErrUnknownKind     = errors.New("space: unknown kind")
	ErrKindInUse       = errors.New("space: kind in use")
	ErrTooLarge        = errors.New("space: too large")
	ErrClosed          = errors.New("space: closed")
	ErrDropped         = errors.New("space: dropped")
	ErrUnavailable     = errors.New("space: unavailable")
	ErrOutcomeUnknown  = errors.New("space: outcome unknown")
	ErrTxnEnded        = errors.New("space: transaction ended")
	ErrDeadlock        = errors.New("space: deadlock")
	ErrVersionConflict = errors.New("space: version conflict")
	ErrLocked          = errors.New("space: locked")
	ErrCancelled       = errors.New("space: wait cancelled")
	ErrSpaceFull       = fmt.Errorf("%w: space full", ErrUnavailable)
	ErrLogFull         = fmt.Errorf("%w: log full", ErrUnavailable)
	ErrNotReady        = fmt.Errorf("%w: not served yet", ErrUnavailable)
	ErrLogLost         = fmt.Errorf("%w: its log is lost or damaged", ErrUnavailable)
	ErrElsewhere       = fmt.Errorf("%w: served by another node", ErrUnavailable)
	// the client repeats the call until it succeeds or fails otherwise
	ErrThrottled = fmt.Errorf("%w: throttled", ErrLogFull)
)

// ElsewhereError is the ErrElsewhere of a partition that another node serves, or served last.
type ElsewhereError struct {
	At    txn.Address // the partition: not always that of the call, which may need that of its transaction, too
	Node  string      // the address of the node; "": not known
	Epoch Epoch       // in which it does
}

// Epoch tells apart the times for which a partition is served, by one node each: a later one is greater.
type Epoch struct {
	Created uint64 // tells the space from an older one of its name, whose log may have been longer
	Claim   uint64 // the position in the partition's log from which on the node serves it; 0: unknown
}

// Compare returns -1, 0 or 1 if e is before o, equal, or after it.
func (e Epoch) Compare(o Epoch) int {
	return cmp.Or(cmp.Compare(e.Created, o.Created), cmp.Compare(e.Claim, o.Claim))
}

func (e *ElsewhereError) Error() string {
	return fmt.Sprintf("%v: %s, in epoch %d", ErrElsewhere, cmp.Or(e.Node, "not known which"), e.Epoch.Claim)
}

// Unwrap returns ErrElsewhere.
func (e *ElsewhereError) Unwrap() error { return ErrElsewhere }
