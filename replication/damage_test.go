package replication

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

// Each of the three blocks of the stream holds some of these: its size is a property of the server.
const (
	damageMessages = 20
	damageSize     = 1_000_000
)

// damaged makes a log of several files, and damages the bytes of one of them.
func damaged(t *testing.T, block int, damage func([]byte) []byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, Config{Dir: dir})
	l := primary(t, s)
	for n := uint64(1); n <= damageMessages; n++ {
		require.NoError(t, l.Append(commit(n, damageSize)))
	}
	require.NoError(t, s.Close())
	files, err := filepath.Glob(filepath.Join(streamDir(dir), "msgs", "*.blk"))
	require.NoError(t, err)
	require.Len(t, files, 3)
	b, err := os.ReadFile(files[block])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(files[block], damage(b), 0o600))
	return dir
}

func flip(at float64) func([]byte) []byte {
	return func(b []byte) []byte {
		b[int(at*float64(len(b)))] ^= 0x55
		return b
	}
}

func truncate(at float64) func([]byte) []byte {
	return func(b []byte) []byte { return b[:int(at*float64(len(b)))] }
}

func TestCatchUp_DamagedFilesAreNoticed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		block  int
		damage func([]byte) []byte
	}{
		"first block":       {0, flip(0.1)},
		"middle of a block": {0, flip(0.5)},
		"end of a block":    {1, flip(0.99)},
		"short block":       {1, truncate(0.5)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := damaged(t, c.block, c.damage)
			l := idle(t, open(t, Config{Dir: dir}))
			var got []uint64
			err := replay(t.Context(), l, 0, into(&got), nil)
			require.ErrorIs(t, err, ErrDamaged)
			require.ErrorContains(t, err, "position")
			require.Equal(t, upTo(uint64(len(got))), got)
			require.Less(t, len(got), damageMessages)
			require.EqualValues(t, damageMessages+1, l.Last(), "nothing was claimed")
		})
	}
}

// A kill gives the server no time to write its index. What is damaged must not look like an end that was cut off by the
// kill.
func TestOpen_RefusesADamagedLastFileAfterAKill(t *testing.T) {
	t.Parallel()
	for _, sync := range []bool{false, true} {
		for _, at := range []float64{0.002, 0.4, 0.99} { // not in the length of a header, which only the reader checks
			dir := killed(t, sync, flip(at))
			before := contents(t, dir)
			for range 2 {
				err := refused(t, Config{Dir: dir, Sync: sync})
				require.ErrorIs(t, err, ErrDamaged, "%v %v", sync, at)
				require.Regexp(t, `position \d+ cannot be read \(byte \d+ of .*/1\.blk\), and position \d+ can`, err)
				require.Equal(t, before, contents(t, dir), "the file is as it was found")
			}
		}
	}
}

// A message that was cut off at the end was never acknowledged, or its loss is reported.
func TestOpen_GoesOnFromALastFileThatWasCutOff(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func([]byte) []byte{
		"in a head":   func(b []byte) []byte { return b[:len(b)-1050] },
		"in the data": func(b []byte) []byte { return b[:len(b)-500] },
		"zeros":       func(b []byte) []byte { return append(b[:len(b)-1140], make([]byte, 5000)...) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := killed(t, true, damage)
			var said bytes.Buffer
			s := open(t, Config{Dir: dir, Sync: true, Logger: slog.New(slog.NewTextHandler(&said, nil))})
			left := replayed(t, idle(t, s))
			require.GreaterOrEqual(t, len(left), killedMessages-2)
			require.Less(t, len(left), killedMessages)
			require.Contains(t, said.String(), fmt.Sprintf("msg=log_end_cut log=test/0 after=%d ", 1+len(left)))
		})
	}
}

// A kill is nothing to warn of, also when the server's index is from an earlier stop.
func TestOpen_SaysNothingAfterAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	appendAll(t, primary(t, s), 1, 3)
	require.NoError(t, s.Close())
	s = open(t, Config{Dir: dir})
	appendAll(t, primary(t, s), 4, 6)
	killed := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.CopyFS(killed, os.DirFS(dir)))
	require.FileExists(t, filepath.Join(streamDir(killed), "msgs", "index.db"))
	var said bytes.Buffer
	s = open(t, Config{Dir: killed, Logger: slog.New(slog.NewTextHandler(&said, nil))})
	require.Equal(t, upTo(6), replayed(t, idle(t, s)))
	require.Empty(t, said.String())
}

const killedMessages = 200

// refused returns why the log of a folder is refused.
func refused(t *testing.T, cfg Config) error {
	t.Helper()
	s := open(t, cfg)
	defer func() { require.NoError(t, s.Close()) }()
	names, err := s.Spaces(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string][]int{"test": {0}}, names)
	_, err = s.Log(t.Context(), "test", 0)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "\n")
	return err
}

// killed returns the folder of a store that was killed, and whose only file was damaged.
func killed(t *testing.T, sync bool, damage func([]byte) []byte) (dir string) {
	t.Helper()
	dir = killedAndSeen(t, sync, damage)
	require.NoError(t, os.Remove(filepath.Join(dir, snapshotsFolder, "test-0", seenFile)))
	return dir
}

// killedAndSeen is killed for a log of which the folder remembers how far it had come.
func killedAndSeen(t *testing.T, sync bool, damage func([]byte) []byte) (dir string) {
	t.Helper()
	s := open(t, Config{Sync: sync})
	l := primary(t, s)
	for n := uint64(1); n <= killedMessages; n++ {
		require.NoError(t, l.Append(commit(n, 1000)))
	}
	filesOf(l).see()
	dir = filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.CopyFS(dir, os.DirFS(s.folder.path)))
	require.NoFileExists(t, filepath.Join(streamDir(dir), "msgs", "index.db"))
	path := filepath.Join(streamDir(dir), "msgs", "1.blk")
	require.NoError(t, os.WriteFile(path, damage(contents(t, dir)), 0o600))
	return dir
}

func contents(t *testing.T, dir string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(streamDir(dir), "msgs", "1.blk"))
	require.NoError(t, err)
	return b
}

// Without Sync, power loss may take the end of the log, which the folder still remembers. The space goes on with what
// is left.
func TestCatchUp_LostEnd(t *testing.T) {
	t.Parallel()
	dir := killedAndSeen(t, false, truncate(0.5))
	require.ErrorIs(t, refused(t, Config{Dir: dir}), ErrLost, "the machine runs as before")
	losePower(t, dir)
	require.ErrorIs(t, refused(t, Config{Dir: dir, Sync: true}), ErrLost, "a synchronous store loses nothing")

	s := open(t, Config{Dir: dir})
	l := idle(t, s)
	var left []uint64
	told := 0
	require.NoError(t, replay(t.Context(), l, 0, func(g record.Group) error {
		if tellsLoss(g) {
			told++
		}
		return into(&left)(g)
	}, nil))
	require.Equal(t, upTo(uint64(len(left))), left)
	require.Less(t, len(left), killedMessages)
	require.Equal(t, 1, told, "readers learn that identities were lost")
	require.EqualValues(t, killedMessages+2, l.Last(), "positions are not used again")
	for after := uint64(len(left)) + 2; after < l.Last(); after += 7 {
		require.ErrorIs(t, l.Follow(t.Context(), after, ignore), ErrPosition, "what a reader has seen there is gone")
	}
	next := uint64(len(left)) + 1
	appendAll(t, l, next, next+2)
	require.Equal(t, upTo(next+2), tailed(t, l, 0, int(next)+2))
	require.NoError(t, s.Close())

	s = open(t, Config{Dir: dir, Sync: true})
	require.Equal(t, upTo(next+2), replayed(t, idle(t, s)), "what was accepted once is")
	require.Equal(t, []uint64{next}, tailed(t, idle(t, s), killedMessages+2, 1))
}

// losePower makes the folder look as if the machine had been started since.
func losePower(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, snapshotsFolder, "test-0", seenFile)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, bytes.ReplaceAll(b, []byte(bootID()), []byte("another")), 0o600))
}
