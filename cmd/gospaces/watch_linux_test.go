package main

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

// messages is a standard error to which several goroutines write.
type messages struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

func (m *messages) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.Write(b)
}

func (m *messages) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.String()
}

// A watch for what becomes visible is told at a restart that something may be missing, in words too. One for what is
// written misses nothing.
func TestWatch_OverARestart(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.77:0") // where no other test takes the port while the server is down
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	first := serve(t, "--data", data, "--listen", addr)
	next := map[string]func() event{}
	errs := map[string]*messages{"visible": {}, "written": {}}
	done := make(chan int, 2)
	for _, on := range slices.Sorted(maps.Keys(errs)) {
		out, in := io.Pipe()
		go func() {
			done <- run(t.Context(), []string{"watch", "job", "--on", on, "--addr", addr, "--max", "3"}, getenv(nil),
				strings.NewReader(""), in, errs[on])
		}()
		lines := bufio.NewReader(out)
		next[on] = func() (e event) {
			line, err := lines.ReadString('\n')
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal([]byte(line), &e))
			return e
		}
	}
	for strings.Count(first.must(t, "registrations", "list"), `"attended":true`) < 2 {
	}
	first.must(t, "write", "job", `{"id": 1}`)
	require.EqualValues(t, 1, next["visible"]().Seq)
	require.EqualValues(t, 1, next["written"]().Seq)
	require.Zero(t, first.stop().code)

	second := serve(t, "--data", data, "--listen", addr)
	require.Equal(t, event{Type: "gap", Seq: 2, Cause: "restart"}, next["visible"]())
	second.must(t, "write", "job", `{"id": 2}`)
	require.Equal(t, "visible", next["visible"]().Type)
	require.EqualValues(t, 2, next["written"]().Seq)
	second.must(t, "write", "job", `{"id": 3}`)
	require.EqualValues(t, 3, next["written"]().Seq)
	require.Zero(t, <-done)
	require.Zero(t, <-done)
	require.Equal(t, 1, strings.Count(errs["visible"].String(), gapHint(space.Event{Cause: space.GapRestart})),
		"in words too")
	require.NotContains(t, errs["written"].String(), gapHint(space.Event{Cause: space.GapRestart}))
}
