package replication

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkCluster_Append appends to a log on three nodes, all of them in this process, at the node that leads the
// stream and at another.
func BenchmarkCluster_Append(b *testing.B) {
	if !linked {
		b.Skip("who leads a stream is not known")
	}
	for _, memory := range []bool{false, true} {
		k := newTrio(b, func(c *Config) { c.Cluster.Memory = memory })
		logs := k.logs()
		for i, where := range []string{"leader", "elsewhere"} {
			l := logs[i]
			lead(b, l)
			require.Eventually(b, func() bool {
				require.NoError(b, logs[0].LeadHere())
				return logs[0].Raft().Leads
			}, time.Minute, 100*time.Millisecond)
			for _, size := range []int{200, 8 << 10, 64 << 10} {
				b.Run(fmt.Sprintf("memory=%t/%s/%d", memory, where, size), func(b *testing.B) {
					msg := commit(1, size)
					latencies(b, size, func() error { return l.Append(msg) })
				})
			}
		}
		k.stop(0, 1, 2)
	}
}

// BenchmarkCluster_Follow is the time from before an append until a follower on another node has the message.
func BenchmarkCluster_Follow(b *testing.B) {
	k := newTrio(b, nil)
	logs := k.logs()
	lead(b, logs[0])
	for _, size := range []int{200, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			f := startFollowing(b, logs[1], logs[0].Last())
			msg := commit(1, size)
			latencies(b, size, func() error {
				err := logs[0].Append(msg)
				f.reach(b, logs[0].Last())
				return err
			})
			f.stop()
		})
	}
}
