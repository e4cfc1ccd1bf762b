package replication

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

// state is what a reader makes of a log that is loaded and replayed: the numbers of the commits. A snapshot holds them
// all.
func restate(t *testing.T, l *Log) (numbers []uint64, told int) {
	t.Helper()
	collect := into(&numbers)
	p, _, err := l.Load(t.Context(), func(records []byte) error {
		for rest := records; len(rest) > 0; {
			var r record.Record
			var err error
			if rest, err = record.Next(rest, &r); err != nil {
				return err
			}
			numbers = append(numbers, r.ID)
		}
		return nil
	}, nil)
	require.NoError(t, err)
	require.NoError(t, replay(t.Context(), l, p, func(g record.Group) error {
		if tellsLoss(g) {
			told++
		}
		return collect(g)
	}, nil))
	return numbers, told
}

func snapshotOf(t *testing.T, l *Log, last uint64) {
	t.Helper()
	s, err := l.Snapshot(l.Last(), record.Clock{})
	require.NoError(t, err)
	for n := uint64(1); n <= last; n++ {
		require.NoError(t, s.Write(record.AppendPut(nil, n, 1, 0, []byte{byte(n)})))
	}
	require.NoError(t, s.Commit())
}

// smallLog is a bound of a log that makes the server begin a file after 32,000 bytes.
const smallLog = 127_000

// manyFiles makes a log of three files with snapshots in the middle of the second one, and closes it.
func manyFiles(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, Config{Dir: dir, MaxBytes: smallLog})
	l := primary(t, s)
	for n := uint64(1); n <= damageMessages; n++ {
		require.NoError(t, l.Append(commit(n, 3_700)))
		if n == 10 || n == 11 {
			snapshotOf(t, l, n)
		}
	}
	require.NoError(t, s.Close())
	return dir
}

func blk(dir string, number int) string {
	return blockPath(filepath.Join(streamDir(dir), "msgs"), number)
}

func change(t *testing.T, path string, damage func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, damage(b), 0o600))
}

func remove(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		require.NoError(t, os.Remove(path))
	}
}

func removeSnapshots(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, snapshotsFolder, "test-0", "*.snapshot"))
	require.NoError(t, err)
	require.Len(t, files, 2)
	remove(t, files...)
}

// Whatever of a log is damaged, it is refused, in one line and without a change of its files, until the loss is
// accepted. Then it goes on with what can be known, and goes on to do so; nothing of what was there is deleted.
func TestRepair_EveryDamageOfALog(t *testing.T) {
	t.Parallel()
	index := func(dir string) string { return filepath.Join(streamDir(dir), "msgs", indexFile) }
	note := func(dir string) string { return filepath.Join(dir, snapshotsFolder, "test-0", witnessFile) }
	meta := func(dir string) string { return filepath.Join(streamDir(dir), "meta.inf") }
	sum := func(dir string) string { return filepath.Join(streamDir(dir), "meta.sum") }
	file := func(number int) func(string) string { return func(dir string) string { return blk(dir, number) } }
	changed := func(path func(dir string) string, how func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) { change(t, path(dir), how) }
	}
	gone := func(paths ...func(dir string) string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for _, path := range paths {
				remove(t, path(dir))
			}
		}
	}
	for name, c := range map[string]struct {
		damage func(t *testing.T, dir string)
		says   string // when it is refused, by Log or by Replay; "": it is not
		left   uint64 // commits
		told   int
	}{
		"meta":            {changed(meta, flip(0.5)), `meta\.inf`, damageMessages, 0},
		"meta is empty":   {changed(meta, truncate(0)), `meta\.inf`, damageMessages, 0},
		"meta sum":        {changed(sum, flip(0.5)), `meta\.inf`, damageMessages, 0},
		"meta is missing": {gone(meta), `meta\.inf`, damageMessages, 0},
		"witness":         {changed(note, truncate(0.5)), `log\.json`, damageMessages, 1},
		"witness missing": {gone(note), ``, damageMessages, 0},
		"index":           {changed(index, flip(0.5)), ``, damageMessages, 0},
		"index is cut":    {changed(index, truncate(0.5)), ``, damageMessages, 0},
		"first file":      {gone(file(1)), ``, damageMessages, 0}, // snapshots hold what was there
		"first file, no snapshots": {func(t *testing.T, dir string) {
			remove(t, blk(dir, 1))
			removeSnapshots(t, dir)
		}, `position`, 0, 1},
		"middle file":          {gone(file(2)), `position \d+ is missing`, 11, 1},
		"last file":            {gone(file(3)), `ends at position 17; it had reached position 21`, 16, 1},
		"all files":            {gone(file(1), file(2), file(3)), `ends at position 0; it had reached position 21`, 11, 1},
		"files and index":      {gone(file(3), index), `ends at position 17; it had reached position 21`, 16, 1},
		"end of the last file": {changed(file(3), flip(0.99)), `position 21 cannot be read`, 19, 1},
		"last file, middle":    {changed(file(3), flip(0.5)), `position 20 cannot be read`, 18, 1},
		"second file, its end": {changed(file(2), flip(0.99)), `position`, 15, 1},
		"second file, no index": {func(t *testing.T, dir string) {
			change(t, blk(dir, 2), flip(0.99))
			remove(t, index(dir))
		}, `position 17 cannot be read \(byte \d+ of .*2\.blk\)`, 15, 1},
		"first file, no index": {func(t *testing.T, dir string) { // the snapshots hold what was there
			change(t, blk(dir, 1), flip(0.5))
			remove(t, index(dir))
		}, ``, damageMessages, 0},
		"last file is cut off": {changed(file(3), truncate(0.5)), `ends at position 19; it had reached position 21`, 18, 1},
		"file is a folder": {func(t *testing.T, dir string) {
			remove(t, blk(dir, 3))
			require.NoError(t, os.Mkdir(blk(dir, 3), 0o700))
		}, `position 18 cannot be read: .*is a directory`, 16, 1},
		"snapshots are damaged": {func(t *testing.T, dir string) {
			files, err := filepath.Glob(filepath.Join(dir, snapshotsFolder, "test-0", "*.snapshot"))
			require.NoError(t, err)
			for _, file := range files {
				change(t, file, flip(0.9))
			}
			remove(t, blk(dir, 1))
		}, `position`, 0, 1},
	} {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprint(name, killed), func(t *testing.T) {
				t.Parallel()
				dir := manyFiles(t)
				c.damage(t, dir)
				if _, err := os.Stat(index(dir)); killed && err == nil {
					remove(t, index(dir)) // a kill gives the server no time to write it
				}
				before := files(t, dir)
				if c.says != "" {
					for range 2 {
						require.Regexp(t, c.says, unusable(t, dir))
						require.Equal(t, before, files(t, dir))
					}
				}
				s := open(t, Config{Dir: dir, MaxBytes: smallLog, AcceptLoss: true})
				got, told := restate(t, idle(t, s))
				require.Equal(t, upTo(c.left), got)
				require.Equal(t, c.told, told)
				appendAll(t, idle(t, s), 201, 203)
				require.NoError(t, s.Close())
				if c.told > 0 {
					kept, apart := files(t, dir), aside(t, dir)
					for name, content := range before {
						require.True(t, strings.HasPrefix(kept[name], content) || slices.Contains(apart, content), name)
					}
				}
				for range 2 { // and once more
					s = open(t, Config{Dir: dir, MaxBytes: smallLog})
					got, told = restate(t, idle(t, s))
					require.Equal(t, append(upTo(c.left), 201, 202, 203), got)
					require.LessOrEqual(t, told, c.told)
					require.NoError(t, s.Close())
				}
			})
		}
	}
}

// A process that is killed while logs are refused, or repaired, leaves nothing that the next start does not understand.
func TestRepair_AfterAKill(t *testing.T) {
	t.Parallel()
	dir := manyFiles(t)
	change(t, blk(dir, 3), flip(0.99))
	cfg := Config{Dir: dir, MaxBytes: smallLog}
	s := open(t, cfg)
	killed := filepath.Join(t.TempDir(), "refused")
	require.NoError(t, os.CopyFS(killed, os.DirFS(dir)))
	require.NoDirExists(t, streamDir(killed))
	require.Regexp(t, `position 21 cannot be read`, unusable(t, killed))
	require.DirExists(t, streamDir(killed))
	require.NoError(t, s.Close())

	cfg.AcceptLoss = true
	open(t, cfg) // it is not replayed
	killed = filepath.Join(t.TempDir(), "repaired")
	require.NoError(t, os.CopyFS(killed, os.DirFS(dir)))
	s = open(t, Config{Dir: killed, MaxBytes: smallLog})
	got, told := restate(t, idle(t, s))
	require.Equal(t, upTo(19), got)
	require.Equal(t, 1, told)
}

// unusable returns why a log cannot be used.
func unusable(t *testing.T, dir string) string {
	t.Helper()
	s := open(t, Config{Dir: dir, MaxBytes: smallLog})
	defer func() { require.NoError(t, s.Close()) }()
	l, err := s.Log(t.Context(), "test", 0)
	if err == nil {
		var p uint64
		if p, _, err = l.Load(t.Context(), func([]byte) error { return nil }, nil); err == nil {
			err = replay(t.Context(), l, p, ignore, nil)
		}
	}
	require.Error(t, err)
	require.NotContains(t, err.Error(), "\n")
	return err.Error()
}

// contentsOf returns the contents of the files whose paths match a pattern, by path.
func contentsOf(t *testing.T, pattern ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(pattern...))
	require.NoError(t, err)
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			continue
		}
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		found[path] = string(b)
	}
	return found
}

// files returns the contents of the files of messages.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	return contentsOf(t, streamDir(dir), "msgs", "*.blk")
}

// aside returns the contents of the files that were put aside.
func aside(t *testing.T, dir string) (found []string) {
	t.Helper()
	for path, content := range contentsOf(t, dir, asideFolder, "test-0", "*", "*") {
		if !strings.HasSuffix(path, indexFile) {
			found = append(found, content)
		}
	}
	return found
}
