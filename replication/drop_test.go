package replication

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

// A log that was dropped is gone, at whatever point the process that dropped it was killed: it is in no list, and its
// files do not come back in another of the name.
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
