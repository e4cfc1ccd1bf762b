package replication

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

// A kill while a log is made leaves a folder that the embedded server would not start over.
func TestOpen_EndsLogsThatWereNeverMade(t *testing.T) {
	t.Parallel()
	for name, left := range map[string][]string{
		"the folder only":       nil,
		"an empty description":  {server.JetStreamMetaFile},
		"no checksum of it yet": {server.JetStreamMetaFile},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := open(t, Config{Dir: dir})
			appendAll(t, primary(t, s), 1, 3)
			require.NoError(t, s.Close())

			other := filepath.Join(filepath.Dir(streamDir(dir)), logID{"other", 0}.stream())
			require.NoError(t, os.MkdirAll(filepath.Join(other, "msgs"), 0o750))
			require.NoError(t, os.MkdirAll(filepath.Join(other, "obs"), 0o750))
			for _, file := range left {
				content := []byte("{}")
				if name == "an empty description" {
					content = nil
				}
				require.NoError(t, os.WriteFile(filepath.Join(other, file), content, 0o600))
			}
			s = open(t, Config{Dir: dir})
			require.Equal(t, []uint64{1, 2, 3}, replayed(t, primary(t, s)))
			l, err := s.Log(t.Context(), "other", 0)
			require.NoError(t, err)
			require.Empty(t, replayed(t, l))
		})
	}
}
