package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/spacetest"
)

// A data folder whose log is gone, or ends before the newest snapshot, is served only by an operator who accepts the
// loss. Entries that come then have identities that no lost one had; the mirror, which has followed another log, stops
// rather than to make its tables equal to what is left.
func TestServe_LossIsAccepted(t *testing.T) {
	t.Parallel()
	pg, _ := spacetest.OwnPostgres(t)
	for name, lose := range map[string]func(t *testing.T, dir string){
		"log is gone": func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(filepath.Join(dir, "standalone"))) },
		"end is cut off": func(t *testing.T, dir string) {
			files, err := filepath.Glob(filepath.Join(dir, "standalone", "jetstream", "*", "streams", "log-*", "msgs", "*"))
			require.NoError(t, err)
			require.NotEmpty(t, files)
			for _, file := range files {
				require.NoError(t, os.Remove(file))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn, err := pg.NewDatabase(t.Context())
			require.NoError(t, err)
			dir := t.TempDir()
			first := serve(t, "--data", dir, "--postgres", dsn)
			first.must(t, "write", "job", `{"id": 1}`, `{"id": 2}`)
			first.must(t, "snapshot")
			first.must(t, "write", "job", `{"id": 3}`)
			require.Zero(t, first.stop().code)
			lose(t, dir)

			r := cli(t, "serve", "--data", dir, "--listen", "127.0.0.1:0")
			require.Equal(t, exitError, r.code)
			require.Regexp(t, `log lost: .*had reached position \d+.*snapshot.*--accept-loss`, r.err)
			require.Equal(t, 1, strings.Count(r.err, "gospaces: "), r.err)
			r = cli(t, "verify", "--data", dir)
			require.Equal(t, exitError, r.code)
			require.Regexp(t, `space "default": .*log lost: .* had reached position \d+`, r.err)
			r = cli(t, "load", "--data", dir, "--postgres", dsn)
			require.Equal(t, exitError, r.code)
			require.Contains(t, r.err, "name a new folder with --data")

			second := serve(t, "--data", dir, "--postgres", dsn, "--accept-loss")
			require.Equal(t, "{\"id\":1}\n{\"id\":2}\n", second.must(t, "read", "job", "--all"))
			var w written
			require.NoError(t, json.Unmarshal([]byte(second.must(t, "write", "job", `{"id": 4}`)), &w))
			require.Greater(t, uint64(w.ID), uint64(1<<30))
			second.mirror(t, func(m mirror) bool { return strings.Contains(m.LastError, "mirrors incarnation") })
			require.Zero(t, second.stop().code)

			third := serve(t, "--data", dir)
			require.Equal(t, "3\n", third.must(t, "count", "job"))
			require.Zero(t, third.stop().code)
			require.Zero(t, cli(t, "verify", "--data", dir).code)
			aside, err := filepath.Glob(filepath.Join(dir, "snapshots", "default-0", "*.snapshot.*"))
			require.NoError(t, err)
			require.Len(t, aside, 1, "the snapshot that the lost log has written stays")
		})
	}
}
