package partition_test

import (
	"sync/atomic"
	"testing"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// ear is a listener that takes all events, or none, or events from memory or the log as they come.
type ear struct {
	*window
	deaf  bool
	heard atomic.Uint64
}

func (e *ear) Event(ev *partition.Event, _ partition.LSN, _ bool) bool {
	if e.deaf {
		return false
	}
	e.heard.Store(ev.Seq)
	return true
}

// BenchmarkListener writes and takes with 256 calls in flight while there is no listener, one that follows, one that
// takes nothing, and one that catches up with a million events in the log.
func BenchmarkListener(b *testing.B) {
	for _, sort := range []string{"none", "follows", "deaf", "behind"} {
		b.Run(sort, func(b *testing.B) {
			store, err := replication.Open(b.Context(), replication.Config{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer store.Close()
			log, err := store.Log(b.Context(), "bench", 0)
			if err != nil {
				b.Fatal(err)
			}
			p := partition.New(partition.Config{Log: log, EventBacklog: 1000})
			if err := p.Start(b.Context(), nil); err != nil {
				b.Fatal(err)
			}
			const calls = 256
			w, e := newWindow(calls), &ear{window: newWindow(1), deaf: sort == "deaf" || sort == "behind"}
			w.acquire(1)
			p.Register(w, 0, &template.Schema{Kind: "job", Fields: []template.Field{{Name: "payload", Class: template.Bytes}}})
			if sort != "none" {
				e.acquire(1)
				p.Notify(e, 1, everything(), call.Events(call.Written), call.Forever)
				e.acquire(1)
				e.window = newWindow(1)
			}
			row := append(template.Row{101}, template.AppendBytes(nil, make([]byte, 100))...)
			drafts := []call.Draft{{Kind: 1, Row: row, Lease: call.Forever}}
			take := &call.Query{Max: 1, Take: true, Templates: []call.Template{{Kind: 1}}}
			cycle := func() {
				w.acquire(1)
				p.Write(w, 1, txn.ID{}, call.Request{}, drafts)
				w.acquire(1)
				p.Find(w, 2, take, -1)
			}
			late := &ear{window: newWindow(1)}
			if sort == "behind" {
				for range 1_000_000 {
					cycle()
				}
				b.ResetTimer()
				late.acquire(1)
				p.Attach(late, 1, 1, 0) // its identity is the first
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				cycle()
				n += 2
			}
			w.acquire(calls)
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "ops/s")
			if sort == "behind" {
				b.ReportMetric(float64(late.heard.Load())/b.Elapsed().Seconds(), "caught-up/s")
			}
			p.Close()
		})
	}
}
