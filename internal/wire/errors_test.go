package wire_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// numbers are fixed, because other programs rely on them. Add lines, never change them.
var numbers = map[wire.Code]error{
	1: wire.ErrInternal, 2: space.ErrNoMatch, 3: space.ErrInvalidArgument, 4: space.ErrLeaseEnded, 5: call.ErrUnknownKind,
	6: space.ErrTooLarge, 7: space.ErrClosed, 8: space.ErrUnavailable, 9: space.ErrOutcomeUnknown, 10: call.ErrCancelled,
	11: template.ErrSchemaConflict, 12: wire.ErrInterrupted, 13: wire.ErrMalformed, 14: wire.ErrVersion,
	15: wire.ErrCapability, 16: wire.ErrBusy,
	17: call.ErrTxnEnded, 18: call.ErrDeadlock, 19: call.ErrVersionConflict, 20: wire.ErrInDoubt,
	21: space.ErrLogFull, 22: call.ErrThrottled, 23: space.ErrSpaceFull, 24: space.ErrKindInUse, 25: space.ErrLocked,
	26: space.ErrDropped, 27: call.ErrElsewhere, 28: call.ErrNotReady, 29: call.ErrLogLost,
}

func sendError(t *testing.T, err error) error {
	d := wire.NewDecoder(wire.AppendError(nil, err))
	got := d.Error()
	require.NoError(t, d.Err())
	return got
}

func TestErrors_AreTheSameOnTheOtherSide(t *testing.T) {
	t.Parallel()
	for code, err := range numbers {
		require.Equal(t, code, wire.CodeOf(err))
		require.Equal(t, err, sendError(t, err), "a bare error travels as its number")

		wrapped := fmt.Errorf("renew lease 5: %w", err)
		got := sendError(t, wrapped)
		require.Equal(t, wrapped.Error(), got.Error())
		for _, other := range numbers {
			require.Equal(t, errors.Is(wrapped, other), errors.Is(got, other))
		}
	}
}

func TestErrors_OfPartitionsElsewhereTellWhere(t *testing.T) {
	t.Parallel()
	want := &call.ElsewhereError{
		At: txn.Address{Space: "jobs", Partition: 3}, Node: "b:7420", Epoch: call.Epoch{Created: 9, Claim: 1 << 40},
	}
	got := sendError(t, fmt.Errorf("open jobs: %w", want))
	require.EqualError(t, got, "open jobs: space: unavailable: served by another node: b:7420, in epoch 1099511627776")
	require.ErrorIs(t, got, space.ErrUnavailable)
	at, ok := errors.AsType[*call.ElsewhereError](got)
	require.True(t, ok)
	require.Equal(t, want, at)
}

func TestErrors_WithoutNumberAreInternal(t *testing.T) {
	t.Parallel()
	got := sendError(t, errors.New("disk on fire"))
	require.ErrorIs(t, got, wire.ErrInternal)
	require.ErrorContains(t, got, "disk on fire")
}

func TestErrors_OfNewerServersAreInternal(t *testing.T) {
	t.Parallel()
	d := wire.NewDecoder(wire.AppendBytes([]byte{0xf0, 0x01}, "something new"))
	require.ErrorContains(t, d.Error(), "something new")
}

// Every error that the engine can return has a number.
func TestErrors_TableHasAllOfTheVocabulary(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../call/errors.go", nil, 0)
	require.NoError(t, err)
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			declared += len(spec.Names)
		}
		return true
	})
	const notOfTheEngine = 8 // the numbers 1, 11 to 16, and 20
	require.Equal(t, len(numbers)-notOfTheEngine, declared)
}
