package engine

import (
	"fmt"
	"testing"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// BenchmarkSession writes and takes for clients that do not repeat calls, and for one that does, to show the cost of
// keeping outcomes.
func BenchmarkSession(b *testing.B) {
	for _, kept := range []bool{false, true} {
		b.Run(fmt.Sprintf("kept=%t", kept), func(b *testing.B) {
			e := New(Config{}, 0)
			e.Register(0, job)
			var by call.Request
			if kept {
				by.Session, _ = e.OpenSession(call.Client{1}, 0)
			}
			q := &call.Query{Max: 1, Take: true, Templates: []call.Template{{Kind: jobKind}}}
			drafts := []call.Draft{{Kind: jobKind, Row: appendJob(nil, 1), Lease: call.Forever}}
			logged, n := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				by.Number++
				e.Write(0, txn.ID{}, by, drafts)
				by.Number++
				q.By = by
				e.Find(0, q)
				if n++; n%400 == 0 {
					e.Received(0, by.Session, e.LSN()-100)
				}
				logged += len(e.Log)
				e.Log = e.Log[:0]
			}
			b.ReportMetric(float64(logged)/float64(n), "log-bytes/pair")
		})
	}
}
