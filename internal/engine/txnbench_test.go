package engine

import (
	"fmt"
	"testing"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// BenchmarkCycle is the cycle of a worker: it takes a job under its own transaction, and commits with a result, which
// becomes the next job.
func BenchmarkCycle(b *testing.B) {
	e := filled(b, 10_000)
	q := byKey(0, true)
	q.Templates[0].Conds = nil
	q.Begin, q.Lease = true, call.Forever/2
	drafts := []call.Draft{{Kind: jobKind, Row: appendJob(nil, 1), Lease: call.Forever}}
	b.ReportAllocs()
	for b.Loop() {
		id := e.Find(1, q).Grants[0].ID
		if r := e.Commit(1, txn.ID{Number: id}, call.Request{}, drafts); r.Err != nil {
			b.Fatal(r.Err)
		}
		e.Log = e.Log[:0]
	}
}

// BenchmarkTakeBesideLocks takes and writes back while transactions have locked older entries.
func BenchmarkTakeBesideLocks(b *testing.B) {
	for _, locks := range []struct {
		name string
		n    int
		take bool
	}{{"none", 0, false}, {"taken", 1000, true}, {"read", 1000, false}} {
		b.Run(fmt.Sprintf("locks=%s", locks.name), func(b *testing.B) {
			e := filled(b, 10_000)
			q := byKey(0, locks.take)
			q.Templates[0].Conds = nil
			for range locks.n {
				q.Txn = txn.ID{Number: e.Begin(1, call.Forever, call.Request{}, "").Grants[0].ID}
				e.Find(1, q)
				if !locks.take {
					q.Max++ // each locks one more
				}
			}
			row := appendJob(nil, 7)
			b.ReportAllocs()
			for b.Loop() {
				e.Find(1, byKey(7, true))
				write1(e, row)
			}
		})
	}
}

// BenchmarkPutBack takes a thousand entries out of ten thousand under a transaction, and aborts it.
func BenchmarkPutBack(b *testing.B) {
	const taken = 1000
	e := filled(b, 10_000)
	q := byKey(0, true)
	q.Templates[0].Conds, q.Max = nil, taken
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		q.Txn = txn.ID{Number: e.Begin(1, call.Forever, call.Request{}, "").Grants[0].ID}
		if r := e.Find(1, q); len(r.Entries) != taken {
			b.Fatal(r.Err)
		}
		if r := e.Abort(1, q.Txn); r.Err != nil {
			b.Fatal(r.Err)
		}
		e.Log = e.Log[:0]
		n += taken
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/entry")
}
