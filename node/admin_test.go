package node_test

import (
	"io"
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
)

// get returns the answer of a node's admin address.
func get(t *testing.T, n *node.Node, path string) (code int, body string) {
	t.Helper()
	r, err := http.Get("http://" + n.AdminAddr() + path)
	require.NoError(t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return r.StatusCode, string(text)
}

func TestAdmin_TellsOperators(t *testing.T) {
	t.Parallel()
	n, err := node.Start(t.Context(), node.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Admin: "127.0.0.1:0"})
	require.NoError(t, err)
	defer n.Close(t.Context())
	c, err := client.Dial(t.Context(), n.Addr())
	require.NoError(t, err)
	defer c.Close()
	sp := c.Space
	type job struct{ ID int }
	for i := range 3 {
		_, err := space.Write(t.Context(), sp, job{i})
		require.NoError(t, err)
	}

	code, body := get(t, n, "/healthz")
	require.Equal(t, 200, code, body)
	code, body = get(t, n, "/readyz")
	require.Equal(t, 200, code, body)
	code, body = get(t, n, "/debug/pprof/goroutine?debug=1")
	require.Equal(t, 200, code, body)
	require.Contains(t, body, "goroutine profile")
	code, body = get(t, n, "/metrics")
	require.Equal(t, 200, code, body)
	for _, line := range []string{
		`gospaces_ready 1`,
		`gospaces_entries\{partition="0",space="default",state="ready"\} 3`,
		`gospaces_partition_serving\{partition="0",space="default"\} 1`,
		`gospaces_oldest_entry_seconds\{kind="job",partition="0",space="default"\} \d`,
		`gospaces_log_append_seconds_count [1-9]\d*`,
		`gospaces_call_seconds_count\{op="[A-Z]`,
		`process_resident_memory_bytes \d`,
	} {
		require.Regexp(t, regexp.MustCompile(`(?m)^`+line), body)
	}
	code, body = get(t, n, "/status")
	require.Equal(t, 200, code, body)
	require.Contains(t, body, `"ready":3`)
	for range 3 {
		_, err := space.Take(t.Context(), sp, job{})
		require.NoError(t, err)
	}
	_, body = get(t, n, "/metrics")
	require.NotContains(t, body, "gospaces_oldest_entry_seconds{", "there is no entry")
	code, _ = get(t, n, "/nothing")
	require.Equal(t, 404, code)
}

func TestAdmin_AddressInUseIsAnError(t *testing.T) {
	t.Parallel()
	n, err := node.Start(t.Context(), node.Config{Durability: node.Memory, Admin: "127.0.0.1:0"})
	require.NoError(t, err)
	defer n.Close(t.Context())
	_, err = node.Start(t.Context(), node.Config{Durability: node.Memory, Admin: n.AdminAddr()})
	require.ErrorContains(t, err, "where the node cannot listen: listen tcp")
}
