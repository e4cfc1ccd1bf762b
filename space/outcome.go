package space

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// CallID names a call that changes something, or a transaction, so that you can ask for its outcome. An
// *OutcomeUnknownError carries it.
type CallID struct {
	Space   string
	Session uint64 // of the client with the space; 0: Number is that of a transaction that began in Space
	Number  uint64
}

// TxnCall returns the CallID of a transaction.
func TxnCall(id txn.ID) CallID { return CallID{Space: id.Space, Number: id.Number} }

// IsZero reports whether id names neither a call nor a transaction.
func (id CallID) IsZero() bool { return id == CallID{} }

// String returns the form that ParseCallID reads: SPACE/SESSION/NUMBER, or SPACE/NUMBER for a transaction.
func (id CallID) String() string {
	number := strconv.FormatUint(id.Number, 10)
	if id.Session == 0 {
		return id.Space + "/" + number
	}
	return id.Space + "/" + strconv.FormatUint(id.Session, 10) + "/" + number
}

// ParseCallID is the inverse of CallID.String. It returns ErrInvalidArgument.
func ParseCallID(s string) (CallID, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 2 && len(parts) != 3 {
		return CallID{}, invalid("%.80q is neither SPACE/NUMBER nor SPACE/SESSION/NUMBER", s)
	}
	id := CallID{Space: parts[0]}
	for _, p := range parts[1:] {
		n, err := strconv.ParseUint(p, 10, 64)
		if err != nil || n == 0 {
			return CallID{}, invalid("%.80q does not end in numbers from 1", s)
		}
		id.Session, id.Number = id.Number, n
	}
	return id, nil
}

// OutcomeUnknownError is the ErrOutcomeUnknown of a call whose outcome you can ask for: errors.Is finds
// ErrOutcomeUnknown in it, and errors.As this type.
type OutcomeUnknownError struct {
	// ID names the call; if it was made under a transaction, or committed one, that transaction: the call has happened if
	// the transaction commits. It is zero if the call has no identity.
	ID  CallID
	Err error // why the outcome is unknown
}

// Error names the call and the reason.
func (e *OutcomeUnknownError) Error() string {
	if e.ID.IsZero() {
		return e.Err.Error()
	}
	return fmt.Sprintf("%v (call %v)", e.Err, e.ID)
}

// Is reports whether target is ErrOutcomeUnknown.
func (e *OutcomeUnknownError) Is(target error) bool { return target == ErrOutcomeUnknown }

// Unwrap returns the reason why the outcome is unknown.
func (e *OutcomeUnknownError) Unwrap() error { return e.Err }

// Fate is the fate of a call or a transaction. A call without a transaction counts as one: it has committed if it was
// executed.
type Fate uint8

// Fates.
const (
	// Unknown: the space does not know, or no longer knows.
	Unknown = Fate(call.Unknown)
	// Undecided: the transaction is open.
	Undecided = Fate(call.Undecided)
	// Committed: the transaction has committed; the call was executed.
	Committed = Fate(call.Committed)
	// Aborted: the transaction was aborted and the call was not executed. It has changed nothing, and never will.
	Aborted = Fate(call.Aborted)
)

// String returns "unknown", "undecided", "committed" or "aborted".
func (f Fate) String() string {
	if int(f) < len(fateNames) {
		return fateNames[f]
	}
	return "fate " + strconv.Itoa(int(f))
}

var fateNames = [...]string{Unknown: "unknown", Undecided: "undecided", Committed: "committed", Aborted: "aborted"}

// Verdict is what Outcome returns for a call or a transaction.
type Verdict struct {
	Fate Fate

	// What the call returned, if it has committed and was not under a transaction.
	Entries []Entry // of a take
	Grants  []Grant // of a write: one for each entry; of a renewal
	Version uint32  // of an update
}

// Outcome tells what has become of a call, or of a transaction, whose ErrOutcomeUnknown has named it. It blocks until
// that is known, or ctx ends.
//
// The client that made the call can ask for as long as it is open and has not given up a thousand more calls. It learns
// the outcome as soon as it reaches the server again: Unknown then means that it was away for more than two minutes, or
// that the space has lost what it held. Other clients can ask, too, for two minutes after the client is gone; they
// learn Committed, with what the call returned, or Unknown.
//
// What has become of a transaction every client can ask, for as long as the space has not given out 33 million more
// identities. It is Undecided while the transaction is open, and Unknown for one that never began.
//
// It returns ErrInvalidArgument for an identity of a space that sp has nothing to do with, and ErrUnavailable while the
// space cannot tell.
func Outcome(ctx context.Context, sp Space, id CallID) (Verdict, error) { return sp.Outcome(ctx, id) }

// Outcome returns the fate of the transaction, like the function Outcome. It blocks until that is known, or ctx ends.
func (t *Txn) Outcome(ctx context.Context) (Fate, error) {
	v, err := t.lease.space.Outcome(ctx, TxnCall(t.id))
	return v.Fate, err
}

// unknownTxn returns err with the identity of the transaction that a call was about, if err is ErrOutcomeUnknown.
func unknownTxn(id txn.ID, err error) error {
	if !errors.Is(err, ErrOutcomeUnknown) {
		return err
	}
	return &OutcomeUnknownError{TxnCall(id), err}
}
