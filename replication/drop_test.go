package replication

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

// A dropped log is gone, whenever the process that dropped it was killed: it is not listed, and its files do not come
// back in another log of the same name.
func TestDrop_InterruptedIsEnded(t *testing.T) {
	t.Parallel()
	for _, sync := range []bool{false, true} {
		for name, interrupt := range map[string]func(t *testing.T, s *Store, l *Log){
			"before anything was removed": func(t *testing.T, s *Store, l *Log) {
				require.NoError(t, s.writeWitness(l.id, witness{Dropped: true}))
			},
			"while the stream was removed": func(t *testing.T, s *Store, l *Log) {
				require.NoError(t, s.writeWitness(l.id, witness{Dropped: true}))
				require.NoError(t, s.Close())
				stream := filepath.Dir(s.folder.messagesDir(l.id))
				require.NoError(t, os.Remove(filepath.Join(stream, server.JetStreamMetaFile)))
			},
			"before the snapshots were removed": func(t *testing.T, s *Store, l *Log) {
				require.NoError(t, s.writeWitness(l.id, witness{Dropped: true}))
				require.NoError(t, s.Close())
				require.NoError(t, os.RemoveAll(filepath.Dir(s.folder.messagesDir(l.id))))
			},
			"at the end": func(t *testing.T, s *Store, l *Log) {
				require.NoError(t, s.Drop(t.Context(), l.id.space, 0))
			},
		} {
			t.Run(name, func(t *testing.T) {
				dir, incarnation, _ := snapshotted(t, sync)
				s := open(t, Config{Dir: dir, Sync: sync})
				interrupt(t, s, idle(t, s))
				require.NoError(t, s.Close())

				s = open(t, Config{Dir: dir, Sync: sync})
				spaces, err := s.Spaces(t.Context())
				require.NoError(t, err)
				require.Empty(t, spaces)
				require.NoDirExists(t, filepath.Join(dir, snapshotsFolder, "test-0"))
				l := idle(t, s)
				require.NotEqual(t, incarnation, l.Incarnation())
				require.True(t, l.Pristine())
				require.Empty(t, replayed(t, l))
			})
		}
	}
}

// A log that is refused because it is damaged or has lost something can be dropped; after any interruption it does not
// come back.
func TestDrop_OfARefusedLog(t *testing.T) {
	t.Parallel()
	refused := map[string]func(t *testing.T) (dir string){
		"damaged, as reading shows": func(t *testing.T) string { return damaged(t, 0, flip(0.5)) },
		"damaged": func(t *testing.T) string {
			dir := damaged(t, 0, flip(0.5))
			require.NoError(t, os.Remove(filepath.Join(streamDir(dir), "msgs", "index.db")))
			return dir
		},
		"lost": func(t *testing.T) string {
			dir, _, _ := snapshotted(t, false)
			require.NoError(t, os.RemoveAll(streamDir(dir)))
			return dir
		},
		"unreadable witness": func(t *testing.T) string {
			dir, _, _ := snapshotted(t, false)
			require.NoError(t, os.WriteFile(filepath.Join(dir, snapshotsFolder, "test-0", witnessFile), []byte("{"), 0o600))
			return dir
		},
	}
	for why, make := range refused {
		for name, drop := range map[string]func(t *testing.T, s *Store){
			"": func(t *testing.T, s *Store) {
				require.NoError(t, s.Drop(t.Context(), "test", 0))
				l := idle(t, s)
				require.True(t, l.Pristine())
				require.NoError(t, s.Drop(t.Context(), "test", 0))
				require.NoError(t, s.Close())
			},
			"killed": func(t *testing.T, s *Store) {
				id := logID{"test", 0}
				require.NoError(t, s.writeWitness(id, witness{Dropped: true}))
				require.NoError(t, s.Close())
				if _, err := os.Stat(s.folder.streamDir(id)); err == nil { // a kill leaves it where Close moves it from
					require.NoError(t, s.folder.putAway(id))
				}
			},
		} {
			t.Run(why+" "+name, func(t *testing.T) {
				t.Parallel()
				dir := make(t)
				s := open(t, Config{Dir: dir})
				l, err := s.Log(t.Context(), "test", 0)
				if err == nil {
					err = replay(t.Context(), l, 0, ignore, nil)
				}
				require.True(t, Unusable(err), "%v", err)
				drop(t, s)

				s = open(t, Config{Dir: dir})
				spaces, err := s.Spaces(t.Context())
				require.NoError(t, err)
				require.Empty(t, spaces)
				l = idle(t, s)
				require.True(t, l.Pristine())
				require.Empty(t, replayed(t, l))
			})
		}
	}
}
