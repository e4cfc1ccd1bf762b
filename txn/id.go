// Package txn defines the identity of a transaction, and the two-phase commit of transactions over several partitions.
package txn

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ID names a transaction: the space in which it began, and its number there. The number contains the partition, which
// is the home. The zero ID is no transaction. A client that knows the ID of a transaction may take part in it.
type ID struct {
	Space  string // "": the space that receives the call
	Number uint64
}

// Home returns the partition in which the transaction began.
func (id ID) Home() Address { return Address{id.Space, PartitionOf(id.Number)} }

// IsZero reports whether id names no transaction.
func (id ID) IsZero() bool { return id == ID{} }

// String returns the form that Parse reads: the space and the number, with a slash between them.
func (id ID) String() string { return id.Space + "/" + strconv.FormatUint(id.Number, 10) }

// ErrMalformedID is returned by Parse for a string that ID.String does not return.
var ErrMalformedID = errors.New("txn: malformed transaction id")

// Parse is the inverse of ID.String. It returns ErrMalformedID.
func Parse(s string) (ID, error) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return ID{}, fmt.Errorf("%w: %.80q has no slash", ErrMalformedID, s)
	}
	n, err := strconv.ParseUint(s[i+1:], 10, 64)
	if err != nil || n == 0 {
		return ID{}, fmt.Errorf("%w: %.80q does not end in a number", ErrMalformedID, s)
	}
	return ID{Space: s[:i], Number: n}, nil
}
