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
	Epoch uint64      // in which it does
}

func (e *ElsewhereError) Error() string {
	return fmt.Sprintf("%v: %s, in epoch %d", ErrElsewhere, cmp.Or(e.Node, "not known which"), e.Epoch)
}

// Unwrap returns ErrElsewhere.
func (e *ElsewhereError) Unwrap() error { return ErrElsewhere }
