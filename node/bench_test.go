package node_test

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/bench"
	"github.com/gospaces/gospaces/node"
)

// BenchmarkNode runs workloads of `gospaces bench` with client and server in this process, for profiles of both.
func BenchmarkNode(b *testing.B) {
	for _, m := range []struct {
		workload string
		callers  int
	}{{"echo", 1}, {"seq", 1}, {"echo", 256}, {"jobs", 256}, {"echo", 64}, {"match", 64}} {
		b.Run(m.workload, func(b *testing.B) {
			n, err := node.Start(b.Context(), node.Config{Listen: "127.0.0.1:0", Data: b.TempDir()})
			require.NoError(b, err)
			for b.Loop() {
				results, err := bench.Run(b.Context(), bench.Options{
					Addr: n.Addr(), Workloads: []string{m.workload}, Callers: []int{m.callers}, Conns: []int{1},
					Duration: 3 * time.Second, Out: io.Discard,
				})
				require.NoError(b, err)
				b.ReportMetric(results[0].Ops, "ops/s")
				b.ReportMetric(results[0].P50, "p50-µs")
			}
			require.NoError(b, n.Close(b.Context()))
		})
	}
}
