package replication

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The embedded server refuses a node of the same name each second, with a line for each attempt.
func TestServerLog_TellsOnceOfANodeOfTheSameName(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := &serverLog{log: slog.New(slog.NewTextHandler(&out, nil))}
	for _, port := range []string{"41000", "41001"} {
		l.Errorf("%s - rid:7 - Remote server has a duplicate name: %q", "127.0.0.1:"+port, "a")
	}
	require.Equal(t, 1, strings.Count(out.String(), "\n"))
	require.Contains(t, out.String(), "level=ERROR msg=node_name_twice node=a")
	require.Contains(t, out.String(), "is connected to this cluster")
}
