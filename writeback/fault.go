package writeback

import (
	"errors"
	"slices"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// A database fails in three ways. Most failures pass, or need an operator: the connection, the disk, a lock, a right.
// The mirror waits until they are over. The other two are recognised by SQLSTATE: a row that is refused, and a table
// that others have changed.

// refusal returns the error with which the database refuses a row, and would refuse it again; nil if err is a different
// error. A column whose type was changed by others causes the same error.
func refusal(err error) *pq.Error {
	e, ok := errors.AsType[*pq.Error](err)
	if !ok || !refuses(e.Code.Class()) {
		return nil
	}
	return e
}

// refuses reports whether errors of a class concern a row. The other classes are listed, since triggers may raise any
// code.
func refuses(c pqerror.Class) bool { return !slices.Contains(passing, string(c)) }

var passing = []string{
	// statements and sessions
	"00", "01", "02", "03", "0A", "0B", "0L", "0P", "24", "25", "26", "28", "2B", "2D", "34", "3B", "3D", "3F", "42",
	// the server: connection, rollback, resources, operators, the system
	"08", "40", "53", "55", "57", "58", "F0", "HV", "XX",
}

// misfit reports whether err may mean that a table was changed by others.
func misfit(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	if !ok {
		return false
	}
	switch e.Code.Class() {
	case "3F", "42": // no such schema, table or column, or another type
		return e.Code != insufficientPrivilege
	}
	return refuses(e.Code.Class())
}

const (
	insufficientPrivilege pqerror.Code = "42501"
	notNullViolation      pqerror.Code = "23502"
	checkViolation        pqerror.Code = "23514"
	foreignKeyViolation   pqerror.Code = "23503"
	deadlock              pqerror.Code = "40P01"
	lockNotAvailable      pqerror.Code = "55P03"
	tooManyConnections    pqerror.Code = "53300"
)
