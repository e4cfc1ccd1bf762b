package replication

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

var benchSizes = []int{128, 1 << 10, 4 << 10, 64 << 10, 1 << 20}

// latencies runs fn for the benchmark's time and reports median and tail latencies.
func latencies(b *testing.B, size int, fn func() error) {
	b.ReportAllocs()
	b.SetBytes(int64(size))
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		if err := fn(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "p99-µs")
}

func BenchmarkAppend(b *testing.B) {
	for _, sync := range []bool{false, true} {
		l := primary(b, open(b, Config{Sync: sync}))
		for _, size := range benchSizes {
			b.Run(fmt.Sprintf("sync=%t/%d", sync, size), func(b *testing.B) {
				msg := commit(1, size)
				latencies(b, size, func() error { return l.Append(msg) })
			})
		}
	}
}

// BenchmarkAppendByNATS measures the cost of Append with a general client instead of a pipe.
func BenchmarkAppendByNATS(b *testing.B) {
	l := primary(b, open(b, Config{}))
	srv, err := l.store.server()
	require.NoError(b, err)
	nc, err := srv.connect()
	require.NoError(b, err)
	defer nc.Close()
	inbox := nc.NewInbox()
	acks, err := nc.SubscribeSync(inbox)
	require.NoError(b, err)
	last := l.Last()
	for _, size := range benchSizes {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			msg := commit(1, size)
			latencies(b, size, func() error {
				m := nats.Msg{Subject: l.id.subject(), Reply: inbox, Data: msg, Header: nats.Header{}}
				m.Header["Nats-Expected-Last-Sequence"] = []string{strconv.FormatUint(last, 10)}
				if err := nc.PublishMsg(&m); err != nil {
					return err
				}
				last++
				_, err := acks.NextMsg(time.Minute)
				return err
			})
		})
	}
}

// filled returns a log with about the given number of bytes in messages of a size.
func filled(b *testing.B, size, total int) *Log {
	l := primary(b, open(b, Config{}))
	msg := commit(1, size)
	for range total / size {
		require.NoError(b, l.Append(msg))
	}
	return l
}

func BenchmarkFollow(b *testing.B) {
	for _, size := range []int{200, 64 << 10} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			l := filled(b, size, min(256<<20, 200_000*size))
			last := l.Last()
			b.SetBytes(l.Stats().Bytes)
			for b.Loop() {
				err := l.Follow(b.Context(), 0, func(g record.Group) error {
					if g.Position == last {
						return errDone
					}
					return nil
				})
				require.ErrorIs(b, err, errDone)
			}
			b.ReportMetric(float64(last)*float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}

func BenchmarkCatchUp(b *testing.B) {
	for _, size := range []int{200, 64 << 10} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			l := filled(b, size, min(256<<20, 200_000*size))
			b.SetBytes(l.Stats().Bytes)
			for b.Loop() {
				require.NoError(b, replay(b.Context(), l, 0, ignore, nil))
			}
		})
	}
}

// BenchmarkFollowLatency is the time from before an append until Follow calls fn with the group.
func BenchmarkFollowLatency(b *testing.B) {
	l := primary(b, open(b, Config{}))
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	seen, ended := make(chan uint64, 1), make(chan error, 1)
	go func() {
		ended <- l.Follow(ctx, l.Last(), func(g record.Group) error {
			seen <- g.Position
			return nil
		})
	}()
	msg := commit(1, 1<<10)
	latencies(b, 1<<10, func() error {
		err := l.Append(msg)
		<-seen
		return err
	})
	cancel()
	require.ErrorIs(b, <-ended, context.Canceled)
}
