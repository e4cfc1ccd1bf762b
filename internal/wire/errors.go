package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

var (
	// ErrInterrupted ends a waiting call when the server shuts down: nothing has changed; repeat the call elsewhere.
	ErrInterrupted = errors.New("wire: interrupted by the server's shutdown")
	// ErrInDoubt ends a call whose outcome is not known yet: repeat the call.
	ErrInDoubt = errors.New("wire: the outcome cannot be told yet")
	// ErrInternal stands for every error without a number.
	ErrInternal = errors.New("wire: internal error of the server")
)

// Code is the number of an error in a Failure.
type Code uint32

// codes assigns a number to every error of a call. The numbers are part of the protocol: append only.
var codes = [...]error{
	1:  ErrInternal,
	2:  call.ErrNoMatch,
	3:  call.ErrInvalidArgument,
	4:  call.ErrLeaseEnded,
	5:  call.ErrUnknownKind,
	6:  call.ErrTooLarge,
	7:  call.ErrClosed,
	8:  call.ErrUnavailable,
	9:  call.ErrOutcomeUnknown,
	10: call.ErrCancelled,
	11: template.ErrSchemaConflict,
	12: ErrInterrupted,
	13: ErrMalformed,
	14: ErrVersion,
	15: ErrCapability,
	16: ErrBusy,
	17: call.ErrTxnEnded,
	18: call.ErrDeadlock,
	19: call.ErrVersionConflict,
	20: ErrInDoubt,
	21: call.ErrLogFull,
	22: call.ErrThrottled,
	23: call.ErrSpaceFull,
	24: call.ErrKindInUse,
	25: call.ErrLocked,
	26: call.ErrDropped,
	27: call.ErrElsewhere,
	28: call.ErrNotReady,
	29: call.ErrLogLost,
}

// special are the numbers of errors that also are other errors of the table, the most special first.
var special = [...]Code{23, 22, 21, elsewhere, 28, 29}

// elsewhere is the number of an error that tells where: the address of a node and an epoch follow its text.
const elsewhere Code = 27

// CodeOf returns the number of the first error in the table that err is, checking the special ones first; or that of
// ErrInternal.
func CodeOf(err error) Code {
	for _, c := range special {
		if errors.Is(err, codes[c]) {
			return c
		}
	}
	for c := 2; c < len(codes); c++ {
		if errors.Is(err, codes[c]) {
			return Code(c)
		}
	}
	return 1
}

// AppendError appends the number and the text of err, and what else belongs to an error with that number.
func AppendError(dst []byte, err error) []byte {
	code, text := CodeOf(err), err.Error()
	if text == codes[code].Error() {
		text = "" // both sides know it
	}
	dst = AppendBytes(binary.AppendUvarint(dst, uint64(code)), text)
	if code != elsewhere {
		return dst
	}
	at := new(call.ElsewhereError)
	errors.As(err, &at)
	dst = appendEpoch(AppendBytes(dst, at.Node), at.Epoch)
	return binary.AppendUvarint(AppendBytes(dst, at.At.Space), uint64(at.At.Partition))
}

// Error decodes an error of AppendError: it is the error with that number, with its original text.
func (d *Decoder) Error() error {
	code, text := d.Uvarint(), d.Bytes()
	if code == 0 || code >= uint64(len(codes)) {
		return fmt.Errorf("%w: error %d: %s", ErrInternal, code, text)
	}
	is := codes[code]
	if Code(code) == elsewhere {
		at := call.ElsewhereError{Node: string(d.Bytes()), Epoch: d.epoch()}
		at.At = txn.Address{Space: string(d.Bytes()), Partition: uint16(d.Uvarint())}
		if at != (call.ElsewhereError{}) {
			is = &at
		}
	}
	if len(text) == 0 {
		return is
	}
	return &remoteError{string(text), is}
}

// remoteError is an error of the server: its text, and the error that it is.
type remoteError struct {
	text string
	is   error
}

func (e *remoteError) Error() string { return e.text }

func (e *remoteError) Unwrap() error { return e.is }

// AppendFailure appends a Failure that ends a call.
func AppendFailure(dst []byte, callID uint64, err error) []byte {
	start := len(dst)
	return End(AppendError(Begin(dst, Failure, callID), err), start)
}

// AppendRefused appends the Refused that ends a connection.
func AppendRefused(dst []byte, err error) []byte {
	start := len(dst)
	return End(AppendError(Begin(dst, Refused, 0), err), start)
}
