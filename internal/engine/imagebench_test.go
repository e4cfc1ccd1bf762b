package engine

import (
	"fmt"
	"testing"

	"github.com/gospaces/gospaces/internal/call"
)

// BenchmarkBeginImage begins an image of a space that has very many items of one kind besides entries. The partition
// serves no call meanwhile.
func BenchmarkBeginImage(b *testing.B) {
	for _, of := range []struct {
		what string
		make func(e *Engine, i int)
		n    []int
	}{
		{"holds", takeForever, []int{0, 10_000, 100_000}},
		{"sessions", callOnce, []int{10_000}},
		{"registrations", registerForever, []int{100_000}},
	} {
		for _, n := range of.n {
			b.Run(fmt.Sprintf("%s=%d", of.what, n), func(b *testing.B) {
				e := filled(b, max(n, keys))
				for i := range n {
					of.make(e, i)
					e.Log = e.Log[:0]
				}
				b.ReportAllocs()
				for b.Loop() {
					e.BeginImage().Close()
				}
			})
		}
	}
}

// takeForever takes an entry under its own transaction.
func takeForever(e *Engine, i int) {
	q := byKey(i%keys, true)
	q.Begin, q.Lease, q.Holder = true, call.Forever, "worker"
	e.Find(0, q)
}

func registerForever(e *Engine, i int) {
	e.Notify(0, byKey(i, false), call.Events(call.Written), call.Forever)
}

// callOnce makes a call whose outcome is kept in its own session.
func callOnce(e *Engine, i int) {
	id, _ := e.OpenSession(call.Client{byte(i), byte(i >> 8), byte(i >> 16)}, 0)
	q := byKey(i%keys, true)
	q.By = call.Request{Session: id, Number: 1}
	e.Find(0, q)
}
