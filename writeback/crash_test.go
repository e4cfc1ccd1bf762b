package writeback_test

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/writeback"
)

// The test binary also serves as a program that writes to a log in a folder and mirrors it until it is killed.
const (
	childEnv  = "WRITEBACK_TEST_DIR"
	childDSN  = "WRITEBACK_TEST_DSN"
	childSeed = "WRITEBACK_TEST_SEED" // also determines the number of lanes
)

// child prints a line for every batch that is in the database.
func child() int {
	ctx := context.Background()
	seed, _ := strconv.ParseUint(os.Getenv(childSeed), 10, 64)
	store, err := replication.Open(ctx, replication.Config{Dir: os.Getenv(childEnv)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	log, g, err := openLog(ctx, store, newModel(), seed)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	w, err := writeback.New(log, writeback.Config{
		DSN: os.Getenv(childDSN), Space: "test", BatchRecords: 300, FlushInterval: time.Millisecond,
		RetryMax: 50 * time.Millisecond,
		Lanes:    1 + int(seed%4), LaneRows: 1,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		fmt.Fprintln(os.Stderr, w.Run(ctx))
		os.Exit(1)
	}()
	for shown := uint64(0); ; {
		msg := append(make([]byte, record.HeaderSize), g.group(1+g.IntN(30))...)
		if err := log.Append(msg); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if p := w.Stats().Position; p != shown {
			shown = p
			fmt.Println(p)
		}
		if log.Last()-shown > 30 {
			_ = w.Flush(ctx) // so as not to get too far ahead
		}
	}
}

// openLog reads the log of a store into m, and returns a generator that continues from there.
func openLog(ctx context.Context, store *replication.Store, m *model,
	seed uint64,
) (*replication.Log, *generator, error) {
	log, err := store.Log(ctx, "test", 0)
	if err != nil {
		return nil, nil, err
	}
	g := newGenerator(seed)
	end, err := log.CatchUp(ctx, 0, func(group record.Group) error {
		g.next = max(g.next, highestPut(group.Records)+1)
		return m.apply(group.Records)
	}, nil)
	if err == nil {
		_, err = log.Claim(ctx, end, record.Clock{})
	}
	for kind := uint32(1); int(kind) <= len(m.kinds); kind++ {
		g.kinds = append(g.kinds, m.kinds[kind])
	}
	g.dropped = make(map[int]bool)
	for kind := range m.dropped {
		g.dropped[int(kind)] = true
	}
	g.live, g.kindOf = slices.Sorted(maps.Keys(m.entries)), make(map[uint64]int)
	for id, e := range m.entries {
		g.kindOf[id] = int(e.kind)
	}
	return log, g, err
}

func highestPut(records []byte) (highest uint64) {
	var r record.Record
	for rest := records; len(rest) > 0; {
		var err error
		if rest, err = record.Next(rest, &r); err != nil {
			return highest
		}
		if r.Op == record.Put || r.Op == record.PutLater {
			highest = max(highest, r.ID)
		}
	}
	return highest
}

func TestCrash_WriterAndServerKilledAtRandom(t *testing.T) {
	t.Parallel()
	own := ownServer(t)
	dsn, err := own.NewDatabase(t.Context())
	require.NoError(t, err)
	dir := t.TempDir()
	seed := rand.New(rand.NewPCG(9, 9))
	for range 5 { // make crash does it for long
		crashRound(t, seed, dir, dsn, func() {
			require.NoError(t, own.Kill())
			require.NoError(t, own.Restart(t.Context()))
		})
	}
	m := newModel()
	store, err := replication.Open(t.Context(), replication.Config{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	log, _, err := openLog(t.Context(), store, m, 0)
	require.NoError(t, err)
	w, _ := start(t, log, writeback.Config{DSN: dsn})
	require.NoError(t, w.Flush(t.Context()))
	requireMirror(t, connect(t, dsn), "test", m)
	require.NotEmpty(t, m.entries)
}

// crashRound runs a child, kills the database in every second round, and then kills the child.
func crashRound(t *testing.T, seed *rand.Rand, dir, dsn string, killServer func()) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), childEnv+"="+dir, childDSN+"="+dsn, childSeed+"="+strconv.FormatUint(seed.Uint64(), 10))
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() {
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
	}()
	lines := bufio.NewScanner(out)
	for range 1 + seed.IntN(20) {
		require.True(t, lines.Scan(), "the child has ended")
	}
	if seed.IntN(2) == 0 {
		killServer()
		for range 1 + seed.IntN(20) {
			require.True(t, lines.Scan(), "the child has ended")
		}
	}
}
