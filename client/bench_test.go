package client_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/space"
)

// inParallel shares b's iterations among callers.
func inParallel(b *testing.B, callers int, op func(ctx context.Context) error) {
	b.ReportAllocs()
	b.ResetTimer()
	var done sync.WaitGroup
	for i := range callers {
		n := b.N / callers
		if i < b.N%callers {
			n++
		}
		done.Go(func() {
			for range n {
				if err := op(b.Context()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	done.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

func BenchmarkEcho(b *testing.B) {
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			c := startNode(b, server.Config{}).dial(client.Config{})
			payload := make([]byte, 100)
			inParallel(b, callers, func(ctx context.Context) error {
				_, err := c.Echo(ctx, payload)
				return err
			})
		})
	}
}

type job struct {
	ID      int64
	State   string
	Payload []byte
}

func BenchmarkWriteTake(b *testing.B) {
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			c := startNode(b, server.Config{}).dial(client.Config{})
			j := job{ID: 1, State: "new", Payload: make([]byte, 100)}
			_, err := space.Write(b.Context(), c, j)
			require.NoError(b, err)
			inParallel(b, callers, func(ctx context.Context) error {
				if _, err := space.Write(ctx, c, j); err != nil {
					return err
				}
				_, err := space.Take(ctx, c, job{State: "new"})
				return err
			})
		})
	}
}
