package replication

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

// open opens a store that is closed when the test ends.
func open(t testing.TB, cfg Config) *Store {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	s, err := Open(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// idle returns a log of the store that has not been claimed.
func idle(t testing.TB, s *Store) *Log {
	t.Helper()
	l, err := s.Log(t.Context(), "test", 0)
	require.NoError(t, err)
	return l
}

// primary returns a log of the store that has been claimed.
func primary(t testing.TB, s *Store) *Log {
	t.Helper()
	l := idle(t, s)
	require.NoError(t, replay(t.Context(), l, 0, ignore, nil))
	return l
}

// replay reads a log to its end and claims it. apply also gets the claim.
func replay(
	ctx context.Context, l *Log, after uint64, apply func(record.Group) error, progress func(done, total uint64),
) error {
	end, err := l.CatchUp(ctx, after, apply, progress)
	if err != nil {
		return err
	}
	claim, err := l.Claim(ctx, end, record.Clock{})
	if err != nil {
		return err
	}
	return apply(claim)
}

// commit returns a message for Append: one record with the number n, padded to about size bytes.
func commit(n uint64, size int) []byte {
	msg := make([]byte, record.HeaderSize, record.HeaderSize+size+32)
	return record.AppendPut(msg, n, 1, 0, bytes.Repeat([]byte{byte(n)}, size))
}

// number returns the number of a commit's record, and an error if the record is not exactly as commit made it.
func number(g record.Group) (uint64, error) {
	var r record.Record
	rest, err := record.Next(g.Records, &r)
	if err != nil || len(rest) != 0 {
		return 0, fmt.Errorf("position %d: %w", g.Position, errors.Join(err, errors.New("not one record")))
	}
	if !bytes.Equal(r.Body, bytes.Repeat([]byte{byte(r.ID)}, len(r.Body))) {
		return 0, fmt.Errorf("position %d: record %d has another's content", g.Position, r.ID)
	}
	return r.ID, nil
}

// into returns a function for CatchUp and Follow that collects the numbers of commits.
func into(numbers *[]uint64) func(record.Group) error {
	return func(g record.Group) error {
		if len(g.Records) == 0 || tellsLoss(g) { // a message that does not count, or a claim
			return nil
		}
		n, err := number(g)
		*numbers = append(*numbers, n)
		return err
	}
}

// replayed reads the log, claims it, and returns the numbers of its commits.
func replayed(t testing.TB, l *Log) []uint64 {
	t.Helper()
	var got []uint64
	require.NoError(t, replay(t.Context(), l, 0, into(&got), nil))
	return got
}

// tellsLoss reports whether a group is that of a claim that tells of a loss.
func tellsLoss(g record.Group) bool {
	return len(g.Records) > 0 && record.Op(g.Records[len(g.Records)-1]) == record.Lost &&
		record.Op(g.Records[0]) == record.Reserve
}

// upTo returns the numbers from 1 to n.
func upTo(n uint64) []uint64 {
	var s []uint64
	for i := uint64(1); i <= n; i++ {
		s = append(s, i)
	}
	return s
}

// appendAll appends commits numbered from first to last.
func appendAll(t testing.TB, l *Log, first, last uint64) {
	t.Helper()
	for n := first; n <= last; n++ {
		require.NoError(t, l.Append(commit(n, 100)))
	}
}

// errDone ends a Follow.
var errDone = errors.New("done")

// tailed returns the numbers of the next n commits after a position.
func tailed(t testing.TB, l *Log, after uint64, n int) []uint64 {
	t.Helper()
	var got []uint64
	collect := into(&got)
	err := l.Follow(t.Context(), after, func(g record.Group) error {
		if err := collect(g); err != nil {
			return err
		}
		if len(got) == n {
			return errDone
		}
		return nil
	})
	require.ErrorIs(t, err, errDone)
	return got
}

// intrude publishes a message to the log past its writer, as a primary does that does not know yet that it was
// replaced.
func intrude(t testing.TB, l *Log, msg []byte) {
	t.Helper()
	srv, err := l.store.server()
	require.NoError(t, err)
	_, err = srv.js.Publish(t.Context(), l.id.subject(), msg)
	require.NoError(t, err)
}

func testLogger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(writerFunc(func(b []byte) (int, error) {
		t.Log(string(bytes.TrimSpace(b)))
		return len(b), nil
	}), nil))
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// rival returns a second Log for the same partition, as another process of a cluster has it.
func rival(t testing.TB, l *Log) *Log {
	t.Helper()
	srv, err := l.store.server()
	require.NoError(t, err)
	info, err := l.store.stream(context.WithoutCancel(t.Context()), srv, l.id)
	require.NoError(t, err)
	r := newAlone(l.store, l.id, info)
	t.Cleanup(r.Log.shut)
	return r.Log
}

// filesOf returns what guards the files of a log.
func filesOf(l *Log) *alone { return l.home.(*alone) }
