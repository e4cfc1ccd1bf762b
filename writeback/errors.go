package writeback

import "errors"

var (
	// ErrOtherLog is returned by Run, and wrapped in the error of Flush, when the database mirrors a log that is not
	// the one it was given: another incarnation of the space, or one that held more than this one does. Nothing was
	// written.
	ErrOtherLog = errors.New("writeback: the database mirrors another log")

	// ErrStopped is returned by Flush when Run has returned and can no longer bring the log into the database.
	ErrStopped = errors.New("writeback: the writer has stopped")

	// ErrAway is returned by FlushOrAway while the database cannot be reached, or does not take what it is given.
	ErrAway = errors.New("writeback: the database is away")

	// ErrIncomplete is returned by OpenTables when tables lack rows: the mirror was not able yet to fill them anew,
	// after others had changed them, or it was stopped while it wrote over several connections.
	ErrIncomplete = errors.New("writeback: tables lack rows that the space had")

	// ErrNoMirror is returned by OpenDeadLetters, OpenTables and Spaces when the database mirrors no space of that
	// name.
	ErrNoMirror = errors.New("writeback: the database holds no mirror of the space")

	// errDamaged tells that tables are not as the mirror has made them. The session ends, and the next repairs them.
	errDamaged = errors.New("writeback: tables were changed by others")

	// errIncomplete ends a session whose tables lack rows, so that the next tries to fill them in.
	errIncomplete = errors.New("writeback: tables lack rows")

	// errUndefined tells that the log holds an entry of a kind that is not known.
	errUndefined = errors.New("which the log does not define")

	// errBetween tells that parts of a batch are in each other's way.
	errBetween = errors.New("a rule between rows")

	// errMoved tells that another writer has moved the stored position. The session ends and reads it again.
	errMoved = errors.New("writeback: another writer has moved the position")
)
