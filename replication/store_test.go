package replication

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

func TestValidName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "A-b_9", "-", "_", strings.Repeat("x", 64)} {
		require.NoError(t, ValidName(name), name)
	}
	for _, name := range []string{
		"", " ", "a.b", "a b", "*", ">", "a/b", "..", "ä", "a\x00", "a\n",
		strings.Repeat("x", 65),
	} {
		require.ErrorIs(t, ValidName(name), ErrInvalidName, "%q", name)
	}
}

func TestStore_SpacesAndTheirLogs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	names, err := s.Spaces(t.Context())
	require.NoError(t, err)
	require.Empty(t, names)

	incarnations := make(map[string]bool)
	ids := []logID{{"b", 0}, {"b", 1}, {"a", 0}, {"a-1", 0}, {"a", 10}} // none may be confused with another
	for i, id := range ids {
		l, err := s.Log(t.Context(), id.space, id.partition)
		require.NoError(t, err)
		require.Empty(t, replayed(t, l))
		appendAll(t, l, uint64(i), uint64(i))
		incarnations[l.Incarnation()] = true
		same, err := s.Log(t.Context(), id.space, id.partition)
		require.NoError(t, err)
		require.Same(t, l, same)
	}
	require.Len(t, incarnations, 5)
	require.NoError(t, s.Close())

	s = open(t, Config{Dir: dir})
	names, err = s.Spaces(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string][]int{"a": {0, 10}, "a-1": {0}, "b": {0, 1}}, names)
	l, err := s.Log(t.Context(), "a", 10)
	require.NoError(t, err)
	require.Equal(t, []uint64{4}, replayed(t, l))

	_, err = s.Log(t.Context(), "a.b", 0)
	require.ErrorIs(t, err, ErrInvalidName)
	_, err = s.Log(t.Context(), "a", -1)
	require.ErrorIs(t, err, ErrInvalidName)
}

// streamDir is where the server keeps the stream of the log that primary opens.
func streamDir(dir string) string {
	return filepath.Join(dir, modeStandalone, "jetstream", "$G", "streams", logID{"test", 0}.stream())
}

func TestClose_EndsEveryCall(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	l := primary(t, s)
	appendAll(t, l, 1, 1)
	seen, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- l.Follow(context.Background(), 1, func(record.Group) error {
			close(seen)
			return nil
		})
	}()
	<-seen
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-ended, ErrClosed)
	require.ErrorIs(t, l.Append(commit(2, 1)), ErrClosed)
	require.ErrorIs(t, replay(t.Context(), l, 0, ignore, nil), ErrClosed)
	require.ErrorIs(t, l.Follow(t.Context(), 0, ignore), ErrClosed)
	_, err := s.Log(t.Context(), "other", 0)
	require.ErrorIs(t, err, ErrClosed)
	_, err = s.Spaces(t.Context())
	require.ErrorIs(t, err, ErrClosed)
	require.EqualValues(t, 2, l.Last())
}

func TestClose_WhileAppendingKeepsWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	l := primary(t, s)
	started, acked := make(chan struct{}), make(chan uint64)
	go func() {
		for n := uint64(1); ; n++ {
			if err := l.Append(commit(n, 100)); err != nil {
				acked <- n - 1
				return
			}
			if n == 50 {
				close(started)
			}
		}
	}()
	<-started
	require.NoError(t, s.Close())
	require.Equal(t, upTo(<-acked), replayed(t, idle(t, open(t, Config{Dir: dir}))))
}

// A context that ends while the embedded server starts, early or late, ends Open only: the server is stopped in the
// background, and the folder can be opened again afterwards.
func TestOpen_CanBeInterruptedAtAnyTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for after := time.Duration(0); after < 40*time.Millisecond; after += 2 * time.Millisecond {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		s, err := Open(ctx, Config{Dir: dir})
		cancel()
		if err == nil {
			require.NoError(t, s.Close())
			continue
		}
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Eventually(t, func() bool {
			s, err := Open(t.Context(), Config{Dir: dir})
			if errors.Is(err, ErrInUse) {
				return false
			}
			return assert.NoError(t, err) && assert.NoError(t, s.Close())
		}, time.Minute, time.Millisecond)
	}
}

// Not parallel: it looks at all goroutines of the process.
func TestClose_LeavesNoGoroutine(t *testing.T) {
	cycle := func() {
		s := open(t, Config{})
		l := primary(t, s)
		appendAll(t, l, 1, 3)
		require.Equal(t, upTo(3), tailed(t, l, 0, 3))
		require.NoError(t, s.Close())
	}
	cycle() // what the libraries start once for the process
	before := runtime.NumGoroutine()
	for range 3 {
		cycle()
	}
	settled := func() bool { return runtime.NumGoroutine() <= before+1 } // Eventually runs it in a goroutine
	require.Eventually(t, settled, time.Minute, 10*time.Millisecond, "%s", stacks{})
}

// stacks prints all goroutines, when it is printed.
type stacks struct{}

func (stacks) String() string {
	b := make([]byte, 1<<20)
	return string(b[:runtime.Stack(b, true)])
}
