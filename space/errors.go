package space

import (
	"errors"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
)

// Errors of reading and taking.
var (
	// ErrNoMatch is returned when a call ended without a matching entry: at once when it may not wait, or at the end of
	// its wait.
	ErrNoMatch = call.ErrNoMatch
)

// Errors of writing.
var (
	// ErrSchemaConflict is returned when a Go type, or a JSON value, contradicts the schema its kind already has in the
	// space. Nothing was stored.
	ErrSchemaConflict = template.ErrSchemaConflict
	// ErrKindInUse is returned by Drop for a kind that has entries, or that others embed.
	ErrKindInUse = call.ErrKindInUse
	// ErrTooLarge is returned for an entry, for one call's entries together, or for what a transaction would hold, beyond
	// the space's limits. Nothing was changed. ReadAll and TakeAll return it along with what they have read or taken.
	ErrTooLarge = call.ErrTooLarge
)

// Errors of leases.
var (
	// ErrLeaseEnded is returned by renew and cancel once the lease has expired, was cancelled, or its entry was taken.
	ErrLeaseEnded = call.ErrLeaseEnded
)

// Errors of registrations.
var (
	// ErrDisplaced is returned by Registration.Next when another session has attached to the registration: its events go
	// there. The registration goes on, and Close leaves it alone.
	ErrDisplaced = errors.New("space: registration taken over by another session")
)

// Errors of transactions and updates.
var (
	// ErrTxnEnded is returned for every use of a transaction that was committed or aborted, or whose lease has ended, and
	// by calls that wait under it meanwhile. The call changed nothing.
	ErrTxnEnded = call.ErrTxnEnded
	// ErrDeadlock is returned by calls that wait under a transaction when it is aborted because it and others wait for
	// each other. Repeating the whole transaction may succeed.
	ErrDeadlock = call.ErrDeadlock
	// ErrVersionConflict is returned by updates of an entry that has another version: it was changed meanwhile. Nothing
	// was stored.
	ErrVersionConflict = call.ErrVersionConflict
	// ErrLocked is returned by updates without a transaction, of an entry that a transaction has locked: it may change,
	// go, or stay as it is. Nothing was stored.
	ErrLocked = call.ErrLocked
)

// Errors of any call.
var (
	// ErrInvalidArgument is returned for arguments that can never be right; the call changed nothing.
	ErrInvalidArgument = call.ErrInvalidArgument
	// ErrOutcomeUnknown is returned when a call was sent but its outcome could not be learned: it may have happened or
	// not; a bulk call as a whole. The error is an *OutcomeUnknownError if one can ask, by Outcome, what has become of the
	// call.
	ErrOutcomeUnknown = call.ErrOutcomeUnknown
	// ErrUnavailable is returned while the space cannot serve, for example because its log's disk is full; the call
	// changed nothing.
	ErrUnavailable = call.ErrUnavailable
	// ErrLogFull is an ErrUnavailable: the log has no room for the change that the call would have made, because its disk
	// is full or because the database that mirrors the space is too far behind. The call changed nothing. Where a server
	// is set to let calls wait for the database, a call fails with it only when its own wait is over; and, if its context
	// ends, with that error and with this one.
	ErrLogFull = call.ErrLogFull
	// ErrSpaceFull is an ErrUnavailable: the space, its server or the client has as much of something as it may have, for
	// example entries in memory, waiting calls or registrations; the text says what, and which setting of the server
	// bounds it. The call changed nothing. Reads, takes and cancels go on and make room.
	ErrSpaceFull = call.ErrSpaceFull
	// ErrClosed is returned by every call on a closed space, and by waits that it interrupts; the call changed nothing.
	ErrClosed = call.ErrClosed
	// ErrDropped is returned by calls that wait in a space while it is dropped, by those that come in that moment, and by
	// Registration.Next. The call changed nothing. Later calls meet a space that does not exist, or a new one of the same
	// name.
	ErrDropped = call.ErrDropped
)

// UnusableEntryError is returned when a stored entry does not fit the Go type that asked for it. It carries the entry
// as raw fields. A take has removed the entry.
type UnusableEntryError = template.UnusableEntryError
