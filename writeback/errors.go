package writeback

import "errors"

var (
	// ErrOtherLog is returned by Run, and wrapped in the error of Flush, when the database mirrors a different log than
	// the Writer's: another incarnation of the space, or a log that was longer than this one. Nothing was written.
	ErrOtherLog = errors.New("writeback: the database mirrors another log")

	// ErrStopped is returned by Flush if Run has returned and can no longer mirror the log.
	ErrStopped = errors.New("writeback: the writer has stopped")

	// ErrAway is returned by FlushOrAway while the database cannot be reached, or refuses what it is given.
	ErrAway = errors.New("writeback: the database is away")

	// ErrIncomplete is returned by OpenTables if tables lack rows: the mirror could not refill them after others had
	// changed them, or was stopped while it wrote over several connections.
	ErrIncomplete = errors.New("writeback: tables lack rows that the space had")

	// ErrNoMirror is returned by OpenDeadLetters, OpenTables and Spaces if the database mirrors no space of that name.
	ErrNoMirror = errors.New("writeback: the database holds no mirror of the space")

	// errDamaged means that tables were changed by others. The session ends, and the next repairs them.
	errDamaged = errors.New("writeback: tables were changed by others")

	// errIncomplete ends a session whose tables lack rows, so that the next tries to fill them in.
	errIncomplete = errors.New("writeback: tables lack rows")

	// errUndefined means that the log has an entry of an unknown kind.
	errUndefined = errors.New("which the log does not define")

	// errBetween means that parts of a batch conflict with each other.
	errBetween = errors.New("a rule between rows")

	// errReplaced means that another process may write the log by now.
	errReplaced = errors.New("writeback: it is not certain that this process writes the log")

	// errMoved means that another writer has moved the stored position. The session ends and reads it again.
	errMoved = errors.New("writeback: another writer has moved the position")
)
