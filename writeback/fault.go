package writeback

import (
	"errors"
	"slices"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// A database fails in three ways. Most failures pass, or an operator must do something about them: the connection, the
// disk, a lock, a right. They are waited out. The other two are told apart by their SQLSTATE: a row that is refused,
// and a table that is not as the mirror has made it.

// refusal returns the error by which the database refuses a row, and would again; nil if err is none. A column whose
// type was changed by others gives the same.
func refusal(err error) *pq.Error {
	e, ok := errors.AsType[*pq.Error](err)
	if !ok || !refuses(e.Code.Class()) {
		return nil
	}
	return e
}

// refuses reports whether errors of a class are about a row. Those that are not are listed: triggers may raise any
// code.
func refuses(c pqerror.Class) bool { return !slices.Contains(passing, string(c)) }

var passing = []string{
	// of statements and sessions
	"00", "01", "02", "03", "0A", "0B", "0L", "0P", "24", "25", "26", "28", "2B", "2D", "34", "3B", "3D", "3F", "42",
	// of the server: connection, rollback, resources, operators, the system
	"08", "40", "53", "55", "57", "58", "F0", "HV", "XX",
}

// misfit reports whether err may mean that a table is not as the mirror has made it.
func misfit(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	if !ok {
		return false
	}
	switch e.Code.Class() {
	case "3F", "42": // no such schema; no such table or column, another type
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
