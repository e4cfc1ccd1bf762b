package engine

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/store"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// Entries of the benchmarks have a key and a payload of 100 bytes.
var job = &template.Schema{Kind: "job", Fields: []template.Field{
	{Name: "key", Class: template.Int}, {Name: "payload", Class: template.Bytes},
}}

const (
	jobKind = 1
	keys    = 10_000
)

var payload = template.AppendBytes(nil, make([]byte, 100))

func appendJob(dst []byte, key int) template.Row {
	var v [16]byte
	k := template.AppendInt(v[:0], int64(key))
	dst = append(append(dst, byte(len(k))), k...)
	return append(append(dst, byte(len(payload))), payload...)
}

// filled returns an engine with n jobs of keys keys, whose index on the key is live.
func filled(b *testing.B, n int) *Engine {
	b.Helper()
	e := New(Config{}, 0)
	e.Register(0, job)
	var row []byte
	for i := range n {
		row = appendJob(row[:0], i%keys)
		write1(e, row)
	}
	for e.kinds[0].Free.Index(store.Shape{Eq: 1}) == nil || !e.kinds[0].Free.Index(store.Shape{Eq: 1}).Live() {
		e.Find(0, byKey(keys-1, false))
		e.Work(n)
	}
	return e
}

func write1(e *Engine, row template.Row) {
	e.Write(0, txn.ID{}, call.Request{}, []call.Draft{{Kind: jobKind, Row: row, Lease: call.Forever}})
	e.Log = e.Log[:0]
}

func byKey(key int, take bool) *call.Query {
	return &call.Query{Max: 1, Take: take, Templates: []call.Template{{Kind: jobKind, Conds: []template.Cond{
		{Field: 0, Op: template.Eq, Value: template.AppendInt(nil, int64(key))},
	}}}}
}

var sizes = []int{10_000, 5_000_000}

func forSizes(b *testing.B, f func(b *testing.B, e *Engine)) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			if n > 1_000_000 && testing.Short() {
				b.Skip("large")
			}
			e := filled(b, n)
			b.ReportAllocs()
			f(b, e)
			runtime.KeepAlive(e)
		})
	}
}

// BenchmarkMatch takes entries by random keys and writes others in their place: at once, and as a server does, a few at
// a time, with other work in between that evicts the processor's caches.
func BenchmarkMatch(b *testing.B) {
	for _, between := range []struct {
		name string
		use  []byte
	}{{"warm", nil}, {"cold", make([]byte, 4<<20)}} {
		b.Run(between.name, func(b *testing.B) {
			forSizes(b, func(b *testing.B, e *Engine) {
				m := matching{e: e, q: byKey(0, true)}
				for range 2 * e.kinds[0].Used() / len(m.keys) { // spreads the entries of each key
					m.run(b)
				}
				m.n, m.taking, m.writing = 0, 0, 0
				for b.Loop() {
					for i := 0; i < len(between.use); i += 64 { // bytes of a cache line
						between.use[i]++
					}
					m.run(b)
				}
				b.ReportMetric(float64(m.writing.Nanoseconds())/float64(m.n), "ns/write")
				b.ReportMetric(float64(m.taking.Nanoseconds())/float64(m.n), "ns/take")
			})
		})
	}
}

// matching takes and writes entries in batches.
type matching struct {
	e               *Engine
	q               *call.Query
	row             []byte
	keys            [32]int
	n               int // taken, and written, so far
	taking, writing time.Duration
}

func (m *matching) run(b *testing.B) {
	for i := range m.keys {
		m.keys[i] = rand.IntN(keys)
	}
	start := time.Now()
	for _, key := range m.keys {
		value := &m.q.Templates[0].Conds[0].Value
		*value = template.AppendInt((*value)[:0], int64(key))
		if r := m.e.Find(0, m.q); r.Err != nil && r.Err != call.ErrNoMatch {
			b.Fatal(r.Err)
		}
		m.e.Log = m.e.Log[:0]
	}
	mid := time.Now()
	for _, key := range m.keys {
		m.row = appendJob(m.row[:0], key)
		write1(m.e, m.row)
	}
	m.taking += mid.Sub(start)
	m.writing += time.Since(mid)
	m.n += len(m.keys)
}

// BenchmarkMemory reports the memory of an entry beyond its row, with an index on one field.
func BenchmarkMemory(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			for b.Loop() {
				before := heap()
				e := filled(b, n)
				b.ReportMetric((float64(heap())-float64(before))/float64(n)-float64(len(appendJob(nil, keys/2))), "B/entry")
				start := time.Now()
				runtime.GC()
				b.ReportMetric(float64(time.Since(start).Microseconds()), "µs/gc")
				runtime.KeepAlive(e)
			}
		})
	}
}

func heap() uint64 {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkWaiting writes entries into a space in which a million calls wait to take: with a key that no call waits
// for, and with one that some wait for. Off the clock, unmatched entries are removed and satisfied calls wait again.
func BenchmarkWaiting(b *testing.B) {
	const waiting, batch = 1_000_000, 1000
	e := New(Config{}, 0)
	e.Register(0, job)
	for i := range waiting {
		e.Park(byKey(i, true), nil)
	}
	for _, satisfied := range []bool{false, true} {
		b.Run(fmt.Sprintf("satisfied=%t", satisfied), func(b *testing.B) {
			var spent time.Duration
			var row []byte
			key, n := 0, 0
			drain := &call.Query{Max: batch, Take: true, Templates: []call.Template{{Kind: jobKind}}}
			for b.Loop() {
				var again []*call.Query
				start := time.Now()
				for range batch {
					key++
					if satisfied {
						row = appendJob(row[:0], key%waiting)
					} else {
						row = appendJob(row[:0], waiting+key%waiting)
					}
					write1(e, row)
					for _, w := range e.Granted {
						again = append(again, w.Query)
					}
				}
				spent += time.Since(start)
				n += batch
				for _, q := range again {
					e.Park(q, nil)
				}
				e.Find(0, drain)
				e.Log = e.Log[:0]
			}
			b.ReportMetric(float64(spent.Nanoseconds())/float64(n), "ns/write")
		})
	}
}

// BenchmarkPriority takes the entry with the highest priority.
func BenchmarkPriority(b *testing.B) {
	e := filled(b, 100_000)
	q := &call.Query{
		Max: 1, Take: true, Templates: []call.Template{{Kind: jobKind}},
		Order: []template.Order{{Field: 0, Desc: true}},
	}
	for range 10 { // until an index has started
		e.Find(0, q)
		write1(e, appendJob(nil, 1))
	}
	e.Work(unbounded)
	var row []byte
	i := 0
	for b.Loop() {
		i += 7919
		row = appendJob(row[:0], i%keys)
		write1(e, row)
		e.Find(0, q)
		e.Log = e.Log[:0]
	}
}
