package replication

import "errors"

// Errors of appending. Each stops appends until the log is claimed again.
var (
	// ErrFull is returned when the log has reached its limit, or the free disk space its minimum. The message is not
	// stored.
	ErrFull error = full("replication: log full")
	// ErrFenced is returned when another process has written to the log: it holds more than the writer, or the
	// claimant, knows. The message is not stored. This process is not the primary any more, and must follow.
	ErrFenced error = fenced("replication: another primary has claimed the log")
	// ErrFailed is returned when the log cannot be written or read. It is unknown whether a message that was to be
	// appended is stored.
	ErrFailed = errors.New("replication: log failed")
	// ErrGone is returned when the store's folder, or files of the log, were removed or replaced under the open store.
	// The message is not stored.
	ErrGone error = gone("replication: the data folder is not there any more")
	// ErrNotPrimary is returned by Append and Resign before Claim, and after Resign. The message is not stored.
	ErrNotPrimary error = notStored("replication: this process has not claimed the log")
	// ErrTooLarge is returned for a message larger than MaxMessage, or shorter than a header. The message is not
	// stored.
	ErrTooLarge error = notStored("replication: message size out of bounds")
)

// Errors of reading.
var (
	// ErrDamaged is returned when the log lacks a message, or has something that is no message. The text names the
	// position.
	ErrDamaged error = unreadable("replication: log damaged")
	// ErrPosition is returned when the log does not have what follows the requested position.
	ErrPosition error = unreadable("replication: position not in the log")
)

// ErrBehind is returned by Log.Fit while this node's part of the log lacks what others have.
var ErrBehind = errors.New("replication: this node's part of the log is behind")

// Unusable reports whether err means that a log, or what is left of it, lacks something. Only Config.AcceptLoss repairs
// that.
func Unusable(err error) bool {
	return errors.Is(err, ErrLost) || errors.Is(err, ErrDamaged) || errors.Is(err, ErrPosition) ||
		errors.Is(err, ErrBadSnapshot)
}

// Errors of the store.
var (
	// ErrInvalidName is returned for an invalid name of a space, or number of a partition.
	ErrInvalidName = errors.New("replication: invalid name")
	// ErrInUse is returned by Open for a folder that another process has open.
	ErrInUse = errors.New("is in use by another process")
	// ErrNotOwner is returned by Open for a folder of another node, of another cluster, or of a server that is alone.
	ErrNotOwner = errors.New("cannot be opened")
	// errCluster is returned by calls that need a server that is alone.
	errCluster = errors.New("replication: not in a cluster")
	// ErrClosed is returned by every call on a closed store or its logs.
	ErrClosed = errors.New("replication: store closed")
)

// notStored is an error of Append after which the message is certainly not in the log.
type notStored string

func (e notStored) Error() string { return string(e) }

// NotStored tells users of an interface to the log that nothing has happened.
func (notStored) NotStored() bool { return true }

// gone is a notStored of a log that cannot be read any more either.
type gone string

func (e gone) Error() string { return string(e) }

// NotStored tells users of an interface to the log that nothing has happened.
func (gone) NotStored() bool { return true }

// Unreadable tells users of an interface to the log that a retry is useless.
func (gone) Unreadable() bool { return true }

// fenced is a notStored of a writer that another has replaced.
type fenced string

func (e fenced) Error() string { return string(e) }

// NotStored tells users of an interface to the log that nothing has happened.
func (fenced) NotStored() bool { return true }

// Fenced tells users of an interface to the log to follow it.
func (fenced) Fenced() bool { return true }

// full is a notStored of a log without room.
type full string

func (e full) Error() string { return string(e) }

// NotStored tells users of an interface to the log that nothing has happened.
func (full) NotStored() bool { return true }

// Full tells users of an interface to the log that an append may work once there is room.
func (full) Full() bool { return true }

// unreadable is a permanent error of reading: the log does not have the requested part, now or later.
type unreadable string

func (e unreadable) Error() string { return string(e) }

// Unreadable tells users of an interface to the log that a retry is useless.
func (unreadable) Unreadable() bool { return true }
