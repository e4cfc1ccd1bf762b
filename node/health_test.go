package node

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHealth_LogsWhatGoesWrongOnceAndWhenItIsOver(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := health{logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))}
	unheard := map[string][]string{}
	says := func(st clusterStatus) string {
		log.Reset()
		h.look(&st, unheard)
		return log.String()
	}
	nodes := func(alive bool) []memberStatus {
		return []memberStatus{{Name: "a", Alive: true}, {Name: "b", Alive: alive}}
	}
	well := clusterStatus{Nodes: nodes(true), Partitions: []partitionStatus{{Space: "jobs"}}}
	ill := clusterStatus{
		Nodes:      nodes(false),
		Control:    partitionStatus{Space: "_control"},
		Partitions: []partitionStatus{{Space: "jobs", Why: "no majority"}, {Space: "orders"}},
	}
	require.Empty(t, says(well))
	require.Empty(t, says(ill), "a failover is short")
	require.Empty(t, says(well))
	require.Empty(t, says(ill))
	require.Equal(t, `level=WARN msg="a node is silent" node=b
level=WARN msg="partitions are not served: calls wait" partitions=1 of=3 partition=jobs why="no majority"
`, says(ill))
	require.Empty(t, says(ill), "once")
	require.Equal(t, `level=INFO msg="a node is heard again" node=b
level=INFO msg="all partitions are served again"
`, says(well))
	require.Empty(t, says(well))

	unheard["c"] = []string{"a", "b"}
	require.Empty(t, says(well), "they may have been seen at different times")
	require.Empty(t, h.unheard())
	require.Equal(t, `level=WARN msg="a node does not hear another, which others hear" node=c other=a
level=WARN msg="a node does not hear another, which others hear" node=c other=b
`, says(well))
	require.Equal(t, unheard, h.unheard())
	unheard["c"] = []string{"b"}
	require.Equal(t, "level=INFO msg=\"a node hears another again, or that is gone\" node=c other=a\n", says(well))
	require.Equal(t, unheard, h.unheard())
}
