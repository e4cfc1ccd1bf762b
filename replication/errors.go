package replication

import "errors"

// Errors of appending. Each of them ends the log's appends until it is claimed again.
var (
	// ErrFull is returned when the log has reached its bound, or its disk the free space that must remain. The message
	// was not stored.
	ErrFull error = full("replication: log full")
	// ErrFenced is returned when the log holds more than its writer, or who claims it, knows: another has written to it.
	// The message was not stored, and this process is not the primary any more: it is to follow.
	ErrFenced error = fenced("replication: another primary has claimed the log")
	// ErrFailed is returned when the log cannot be written or read. Whether a message that was to be appended is
	// stored is unknown.
	ErrFailed = errors.New("replication: log failed")
	// ErrGone is returned when the folder of the store, or the files of the log, were removed or replaced while the store
	// was open. The message was not stored.
	ErrGone error = notStored("replication: the data folder is not there any more")
	// ErrNotPrimary is returned by Append and Resign before Claim, and after Resign. The message was not stored.
	ErrNotPrimary error = notStored("replication: this process has not claimed the log")
	// ErrTooLarge is returned for a message above MaxMessage, or too short to hold a header. The message was not stored.
	ErrTooLarge error = notStored("replication: message size out of bounds")
)

// Errors of reading.
var (
	// ErrDamaged is returned when the log holds what is not a log message, or lacks a message; the text names the
	// position.
	ErrDamaged error = unreadable("replication: log damaged")
	// ErrPosition is returned when the log does not hold what follows the position that was asked for.
	ErrPosition error = unreadable("replication: position not in the log")
)

// Unusable reports whether err tells that a log, or what is left of it, does not hold what it should: it stays so until
// Config.AcceptLoss repairs the log.
func Unusable(err error) bool {
	return errors.Is(err, ErrLost) || errors.Is(err, ErrDamaged) || errors.Is(err, ErrPosition) ||
		errors.Is(err, ErrBadSnapshot)
}

// Errors of the store.
var (
	// ErrInvalidName is returned for the name of a space, or the number of a partition, that cannot be.
	ErrInvalidName = errors.New("replication: invalid name")
	// ErrInUse is returned by Open for a folder that another process has open.
	ErrInUse = errors.New("is in use by another process")
	// ErrClosed is returned by every call on a closed store or its logs.
	ErrClosed = errors.New("replication: store closed")
)

// notStored is an error of Append after which the message is certainly not in the log.
type notStored string

func (e notStored) Error() string { return string(e) }

// NotStored tells those who know the log only as an interface that nothing has happened.
func (notStored) NotStored() bool { return true }

// fenced is a notStored of a writer that another has replaced.
type fenced string

func (e fenced) Error() string { return string(e) }

// NotStored tells those who know the log only as an interface that nothing has happened.
func (fenced) NotStored() bool { return true }

// Fenced tells them that they are to follow the log.
func (fenced) Fenced() bool { return true }

// full is a notStored of a log without room.
type full string

func (e full) Error() string { return string(e) }

// NotStored tells those who know the log only as an interface that nothing has happened.
func (full) NotStored() bool { return true }

// Full tells them why: it may work once there is room.
func (full) Full() bool { return true }

// unreadable is an error of reading that stays: what was asked for cannot be had from this log, now or later.
type unreadable string

func (e unreadable) Error() string { return string(e) }

// Unreadable tells those who know the log only as an interface that there is no sense in trying again.
func (unreadable) Unreadable() bool { return true }
