package space_test

import (
	"context"
	"testing"

	"github.com/gospaces/gospaces/space"
)

func BenchmarkWriteTake(b *testing.B) {
	ctx, sp := context.Background(), newSpace(b)
	write(b, sp, make([]Task, 100)...)
	b.ReportAllocs()
	for b.Loop() {
		must(space.Write(ctx, sp, Task{ID: 7, State: "new"}))
		must(space.Take(ctx, sp, Task{ID: 7}))
	}
}

func BenchmarkRead(b *testing.B) {
	ctx, sp := context.Background(), newSpace(b)
	write(b, sp, Task{ID: 7, State: "new"})
	b.ReportAllocs()
	for b.Loop() {
		must(space.Read(ctx, sp, Task{ID: 7}))
	}
}

func BenchmarkReadParallel(b *testing.B) {
	ctx, sp := context.Background(), newSpace(b)
	write(b, sp, Task{ID: 7, State: "new"})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			must(space.Read(ctx, sp, Task{ID: 7}))
		}
	})
}

func BenchmarkPreparedTake(b *testing.B) {
	ctx, sp := context.Background(), newSpace(b)
	write(b, sp, make([]Task, 100)...)
	p := must(space.Prepare(ctx, sp, Task{ID: 7, State: "new"}))
	b.ReportAllocs()
	for b.Loop() {
		must(p.Write(ctx))
		must(p.Take(ctx))
	}
}

// BenchmarkHandOver has one goroutine wait for what another writes.
func BenchmarkHandOver(b *testing.B) {
	ctx, sp := context.Background(), newSpace(b)
	go func() {
		for {
			task, err := space.Take(ctx, sp, Task{State: "ask"})
			if err != nil {
				return
			}
			task.State = "answer"
			must(space.Write(ctx, sp, task))
		}
	}()
	b.ReportAllocs()
	for b.Loop() {
		must(space.Write(ctx, sp, Task{ID: 7, State: "ask"}))
		must(space.Take(ctx, sp, Task{State: "answer"}))
	}
}
