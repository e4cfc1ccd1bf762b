package node_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/bench"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

const (
	imagedEntries = 5_000_000
	imagedLoad    = 16 // callers
	imagedKeys    = 1_000_000
)

// BenchmarkSnapshotUnderLoad measures the effect on callers of a snapshot of five million entries: the latency of a
// load that takes entries by key and puts them back, alternately without a snapshot and with one. Each round of both is
// a line of -v; the metrics are medians of the rounds.
//
//	go test ./node -run ^$ -bench SnapshotUnderLoad -benchtime 5x -v
func BenchmarkSnapshotUnderLoad(b *testing.B) {
	n, err := node.Start(b.Context(), node.Config{Listen: "127.0.0.1:0", Data: b.TempDir(), SnapshotBytes: 1 << 50})
	require.NoError(b, err)
	c, err := client.Dial(b.Context(), n.Addr())
	require.NoError(b, err)
	fill(b, c, imagedEntries)
	l := &load{c: c}
	l.during(b, func() { time.Sleep(3 * time.Second) }) // until indexes are built
	var rounds []round
	for b.Loop() {
		r := round{quiet: l.during(b, func() { time.Sleep(3 * time.Second) })}
		before := resident(b, n)
		r.imaged = l.during(b, func() {
			began := time.Now()
			_, err = n.Snapshot(b.Context(), txn.Address{Space: "default"})
			r.took = time.Since(began)
		})
		require.NoError(b, err)
		r.grown = max(0, resident(b, n)-before)
		b.Logf("%v", r)
		rounds = append(rounds, r)
	}
	for name, of := range map[string]func(round) float64{
		"p99-quiet-µs":  func(r round) float64 { return r.quiet.micros(0.99) },
		"p99-imaged-µs": func(r round) float64 { return r.imaged.micros(0.99) },
		"p99-ratio":     func(r round) float64 { return r.imaged.micros(0.99) / r.quiet.micros(0.99) },
		"p50-ratio":     func(r round) float64 { return r.imaged.micros(0.5) / r.quiet.micros(0.5) },
		"s/snapshot":    func(r round) float64 { return r.took.Seconds() },
		"MiB-more":      func(r round) float64 { return float64(r.grown) / (1 << 20) },
	} {
		b.ReportMetric(median(rounds, of), name)
	}
	require.NoError(b, c.Close())
	require.NoError(b, n.Close(context.Background()))
}

// round is one measurement without a snapshot and one with.
type round struct {
	quiet, imaged latencies
	took          time.Duration
	grown         int64 // growth of the process in bytes
}

func (r round) String() string {
	return fmt.Sprintf("quiet: %v; imaged: %v; ratio of p99 %.2f; took %v; %d MiB more", r.quiet, r.imaged,
		r.imaged.micros(0.99)/r.quiet.micros(0.99), r.took.Round(time.Millisecond), r.grown>>20)
}

// resident returns the memory of the process.
func resident(b *testing.B, n *node.Node) int64 {
	var status struct {
		RSS int64 `json:"rss_bytes"`
	}
	require.NoError(b, json.Unmarshal(n.Status(), &status))
	return status.RSS
}

func median(rounds []round, of func(round) float64) float64 {
	var all []float64
	for _, r := range rounds {
		all = append(all, of(r))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// latencies are durations of calls, sorted.
type latencies []time.Duration

func (ls latencies) micros(quantile float64) float64 {
	return float64(ls[int(quantile*float64(len(ls)-1))]) / float64(time.Microsecond)
}

func (ls latencies) String() string {
	return fmt.Sprintf("%d calls, p50 %.0f, p99 %.0f, p99.9 %.0f, max %.0f µs",
		len(ls), ls.micros(0.5), ls.micros(0.99), ls.micros(0.999), ls.micros(1))
}

// load is the calls of other callers during a snapshot.
type load struct{ c *client.Client }

// during returns the latencies of the load while f runs.
func (l *load) during(b *testing.B, f func()) (all latencies) {
	var (
		stop    atomic.Bool
		callers sync.WaitGroup
		each    [imagedLoad]latencies
	)
	for i := range each {
		callers.Go(func() {
			for !stop.Load() {
				t0 := time.Now()
				j, err := space.Take(b.Context(), l.c, bench.Job{Key: 1 + rand.Int64N(imagedKeys)}, space.NoWait())
				t1 := time.Now()
				if err == nil {
					_, err = space.Write(b.Context(), l.c, j)
				}
				t2 := time.Now()
				if err != nil {
					b.Error(err)
					return
				}
				each[i] = append(each[i], t1.Sub(t0), t2.Sub(t1))
			}
		})
	}
	f()
	stop.Store(true)
	callers.Wait()
	for _, ls := range each {
		all = append(all, ls...)
	}
	slices.Sort(all)
	return all
}

// fill writes n entries with repeating keys.
func fill(b *testing.B, c *client.Client, n int) {
	const bulk, fillers = 1000, 8
	var next atomic.Int64
	var all sync.WaitGroup
	for range fillers {
		all.Go(func() {
			jobs := make([]bench.Job, bulk)
			for {
				first := next.Add(bulk) - bulk
				if first >= int64(n) {
					return
				}
				for i := range jobs {
					jobs[i] = bench.Job{Key: 1 + (first+int64(i))%imagedKeys, Payload: make([]byte, 100)}
				}
				if _, err := space.WriteAll(b.Context(), c, jobs); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}
