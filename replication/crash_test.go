package replication

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// crashDir names the folder in which this program, run as a child of its own test, appends until it is killed.
const crashDir = "TEST_CRASH_DIR"

func TestMain(m *testing.M) {
	if node := os.Getenv(crashNode); node != "" {
		fmt.Fprintln(os.Stderr, runNode(node))
		os.Exit(1)
	}
	if dir := os.Getenv(crashDir); dir != "" {
		fmt.Fprintln(os.Stderr, appendForever(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// appendForever continues the numbers in the log and prints each once it is acknowledged.
func appendForever(dir string) error {
	ctx := context.Background()
	s, err := Open(ctx, Config{Dir: dir})
	if err != nil {
		return err
	}
	l, err := s.Log(ctx, "test", 0)
	if err != nil {
		return err
	}
	var got []uint64
	if err := replay(ctx, l, 0, into(&got), nil); err != nil {
		return err
	}
	for n := uint64(len(got)) + 1; ; n++ {
		if err := l.Append(commit(n, rand.IntN(20_000))); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

func TestCrash_EveryAcknowledgedGroupIsThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var acked uint64
	for range 5 {
		acked = max(acked, appendUntilKilled(t, dir, 1+rand.IntN(400)))
		s := open(t, Config{Dir: dir})
		l := idle(t, s)
		got := replayed(t, l)
		// The kill may have hit one message that was stored but not acknowledged yet.
		require.GreaterOrEqual(t, uint64(len(got)), acked)
		require.LessOrEqual(t, uint64(len(got)), acked+1)
		require.Equal(t, upTo(uint64(len(got))), got)
		require.Equal(t, got, tailed(t, l, 0, len(got)))
		appendAll(t, l, uint64(len(got))+1, uint64(len(got))+3)
		acked = uint64(len(got)) + 3
		require.NoError(t, s.Close())
	}
}

// appendUntilKilled runs a child, kills it some time after it has printed n numbers, and returns the last one printed.
func appendUntilKilled(t *testing.T, dir string, n int) (last uint64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for i := 1; lines.Scan(); i++ {
		last, err = strconv.ParseUint(lines.Text(), 10, 64)
		require.NoError(t, err)
		if i == n {
			require.NoError(t, cmd.Process.Kill()) // what it prints until then is read too
		}
	}
	require.Error(t, cmd.Wait())
	require.NotZero(t, last)
	return last
}
