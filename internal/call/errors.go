package call

import (
	"errors"
	"fmt"
)

// The outcomes that a call can have other than success. Package space re-exports those that its callers may meet.
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
	ErrHeld            = fmt.Errorf("%w: held back", ErrLogFull) // the client makes the call again until it is not
)
