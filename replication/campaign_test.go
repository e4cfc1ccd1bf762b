package replication

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	campaignBytes   = 400 // from the end of the file
	campaignStep    = 9   // each case has other bytes; TestSurvey_EachBitIsNoticed has all of them
	campaignCommits = 6
)

// A campaign damages the ends of many logs in one folder, each at another byte. None may be served with anything
// acknowledged missing before the loss is accepted; then each is served, also after another start.
func TestCampaign_EndOfALog(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first        int
		killed, seen bool
		damage       func(b []byte, n int) []byte // at n bytes before the end
	}{
		"a bit after a stop": {1, false, true, func(b []byte, n int) []byte { b[len(b)-n] ^= 1 << (n % 8); return b }},
		"a bit after a kill": {3, true, false, func(b []byte, n int) []byte { b[len(b)-n] ^= 1 << ((n + 5) % 8); return b }},
		"a cut after a stop": {5, false, true, func(b []byte, n int) []byte { return b[:len(b)-n] }},
		"a cut after a kill": {7, true, true, func(b []byte, n int) []byte { return b[:len(b)-n] }},
		"a run after a kill": {
			9, true, true,
			func(b []byte, n int) []byte { copy(b[len(b)-n:], bytes.Repeat([]byte{0xa5}, 20)); return b },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := c.first
			dir := campaign(t, first, c.killed, c.seen, c.damage)

			s := open(t, Config{Dir: dir})
			refused := map[int]string{}
			for n := first; n <= campaignBytes; n += campaignStep {
				got, incarnation, err := campaigned(t, s, n)
				if err != nil {
					require.NotContains(t, err.Error(), "\n")
					refused[n] = incarnation
					continue
				}
				require.Equal(t, upTo(campaignCommits), got, "served without the loss being accepted: byte -%d", n)
			}
			require.NotEmpty(t, refused)
			require.NoError(t, s.Close())

			s = open(t, Config{Dir: dir, AcceptLoss: true})
			left := map[int][]uint64{}
			for n := first; n <= campaignBytes; n += campaignStep {
				got, _, err := campaigned(t, s, n)
				require.NoError(t, err, "byte -%d", n)
				require.Equal(t, upTo(uint64(len(got))), got, "byte -%d", n)
				l, err := s.Log(t.Context(), campaignSpace(n), 0)
				require.NoError(t, err)
				appendAll(t, l, 101, 102)
				left[n] = append(got, 101, 102)
			}
			require.NoError(t, s.Close())

			s = open(t, Config{Dir: dir})
			for n, want := range maps.All(left) {
				got, _, err := campaigned(t, s, n)
				require.NoError(t, err, "byte -%d", n)
				require.Equal(t, want, got, "byte -%d", n)
			}
		})
	}
}

func campaignSpace(n int) string { return fmt.Sprintf("at%d", n) }

// campaign creates the folder of a store that was stopped or killed, with logs that are then damaged.
func campaign(t *testing.T, first int, killed, seen bool, damage func([]byte, int) []byte) (dir string) {
	t.Helper()
	s := open(t, Config{})
	for n := first; n <= campaignBytes; n += campaignStep {
		l, err := s.Log(t.Context(), campaignSpace(n), 0)
		require.NoError(t, err)
		require.NoError(t, replay(t.Context(), l, 0, ignore, nil))
		appendAll(t, l, 1, campaignCommits)
		filesOf(l).see()
	}
	dir = s.folder.path
	if killed {
		dir = filepath.Join(t.TempDir(), "killed")
		require.NoError(t, os.CopyFS(dir, os.DirFS(s.folder.path)))
	} else {
		require.NoError(t, s.Close())
	}
	f := &folder{path: dir, owner: owner{Mode: modeStandalone}}
	for n := first; n <= campaignBytes; n += campaignStep {
		id := logID{campaignSpace(n), 0}
		change(t, blockPath(f.messagesDir(id), 1), func(b []byte) []byte { return damage(b, n) })
		if !seen {
			require.NoError(t, os.Remove(filepath.Join(f.snapshotDir(id), seenFile)))
		}
	}
	return dir
}

// campaigned reads a log to its end.
func campaigned(t *testing.T, s *Store, n int) (got []uint64, incarnation string, err error) {
	t.Helper()
	l, err := s.Log(t.Context(), campaignSpace(n), 0)
	if err != nil {
		return nil, "", err
	}
	err = replay(t.Context(), l, 0, into(&got), nil)
	return got, l.Incarnation(), err
}
