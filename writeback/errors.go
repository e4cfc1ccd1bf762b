package writeback

import "errors"

var (
	// ErrOtherLog is returned by Run, and wrapped in the error of Flush, when the database mirrors a log that is not
	// the one it was given: another incarnation of the space, or one that held more than this one does. Nothing was written.
	ErrOtherLog = errors.New("writeback: the database mirrors another log")

	// ErrStopped is returned by Flush when Run has returned and can no longer bring the log into the database.
	ErrStopped = errors.New("writeback: the writer has stopped")

	// errMoved tells that somebody else has moved the stored position. The session ends and reads it again.
	errMoved = errors.New("writeback: another writer has moved the position")
)
