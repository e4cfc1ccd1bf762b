package partition_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// window is a Caller with many calls in flight, like a busy connection. It only counts outcomes.
type window struct {
	mu    sync.Mutex
	cond  sync.Cond
	free  int
	later call.Pending
}

func newWindow(n int) *window {
	w := &window{free: n}
	w.cond.L = &w.mu
	return w
}

// acquire waits until one more call may be in flight.
func (w *window) acquire(n int) {
	w.mu.Lock()
	for w.free < n {
		w.cond.Wait()
	}
	w.free -= n
	w.mu.Unlock()
}

func (w *window) release(n int) {
	w.free += n
	w.cond.Signal()
}

func (w *window) Reply(_ uint64, r *call.Result, lsn partition.LSN, durable bool) {
	if r.Err != nil {
		panic(r.Err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if durable {
		w.release(1)
	} else {
		w.later.Add(1, lsn)
	}
}

func (w *window) Durable(lsn partition.LSN) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.release(w.later.Durable(lsn))
}

func (w *window) Event(*partition.Event, partition.LSN, bool) bool { return true }
func (w *window) Lost(err error)                                   { panic(err) }

// BenchmarkWriteTake writes and takes entries of 100 bytes with a number of calls in flight, to measure the engine and
// the log without a network.
func BenchmarkWriteTake(b *testing.B) {
	for _, logged := range []bool{false, true} {
		for _, calls := range []int{1, 64, 256} {
			b.Run(fmt.Sprintf("logged=%t/calls=%d", logged, calls), func(b *testing.B) {
				var log partition.Log
				if logged {
					store, err := replication.Open(b.Context(), replication.Config{Dir: b.TempDir()})
					if err != nil {
						b.Fatal(err)
					}
					defer store.Close()
					if log, err = store.Log(b.Context(), "bench", 0); err != nil {
						b.Fatal(err)
					}
				}
				p := partition.New(partition.Config{Log: log})
				if err := p.Start(b.Context(), nil); err != nil {
					b.Fatal(err)
				}
				w := newWindow(calls)
				w.acquire(1)
				p.Register(w, 0, &template.Schema{Kind: "job", Fields: []template.Field{{Name: "payload", Class: template.Bytes}}})
				row := append(template.Row{101}, template.AppendBytes(nil, make([]byte, 100))...)
				drafts := []call.Draft{{Kind: 1, Row: row, Lease: call.Forever}}
				take := &call.Query{Max: 1, Take: true, Templates: []call.Template{{Kind: 1}}}
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					w.acquire(1)
					p.Write(w, 1, txn.ID{}, call.Request{}, drafts)
					w.acquire(1)
					p.Find(w, 2, take, -1)
					n += 2
				}
				w.acquire(calls)
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "ops/s")
				p.Close()
			})
		}
	}
}

// BenchmarkReadLease reads an entry of an idle partition, with 64 calls in flight: without a read lease, with one, and
// when each read has to wait for a message of the log.
func BenchmarkReadLease(b *testing.B) {
	for _, lease := range []time.Duration{0, 150 * time.Millisecond, time.Nanosecond} {
		b.Run(fmt.Sprintf("lease=%v", lease), func(b *testing.B) {
			store, err := replication.Open(b.Context(), replication.Config{Dir: b.TempDir()})
			require.NoError(b, err)
			defer store.Close()
			log, err := store.Log(b.Context(), "bench", 0)
			require.NoError(b, err)
			p := partition.New(partition.Config{Log: log, Lease: lease})
			require.NoError(b, p.Start(b.Context(), nil))
			defer p.Close()
			w := newWindow(64)
			w.acquire(2)
			p.Register(w, 0, job)
			p.Write(w, 1, txn.ID{}, call.Request{}, draft(1))
			q := query(1, false)
			b.ReportAllocs()
			for b.Loop() {
				w.acquire(1)
				p.Find(w, 2, q, -1)
			}
			w.acquire(64)
		})
	}
}

// BenchmarkReplay starts a partition from a log of a million entries of 100 bytes, half of which were taken again.
func BenchmarkReplay(b *testing.B) {
	const entries = 1_000_000
	store, err := replication.Open(b.Context(), replication.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	log, err := store.Log(b.Context(), "bench", 0)
	if err != nil {
		b.Fatal(err)
	}
	p := partition.New(partition.Config{Log: log})
	if err := p.Start(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	w := newWindow(256)
	w.acquire(1)
	p.Register(w, 0, &template.Schema{Kind: "job", Fields: []template.Field{{Name: "payload", Class: template.Bytes}}})
	row := append(template.Row{101}, template.AppendBytes(nil, make([]byte, 100))...)
	drafts := []call.Draft{{Kind: 1, Row: row, Lease: call.Forever}}
	take := &call.Query{Max: 1, Take: true, Templates: []call.Template{{Kind: 1}}}
	for i := range entries {
		w.acquire(1)
		p.Write(w, 1, txn.ID{}, call.Request{}, drafts)
		if i%2 == 1 {
			w.acquire(1)
			p.Find(w, 2, take, -1)
		}
	}
	w.acquire(256)
	p.Close()
	for b.Loop() {
		again := partition.New(partition.Config{Log: log})
		if err := again.Start(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
		again.Close()
	}
	b.ReportMetric(float64(b.N)*entries*1.5/b.Elapsed().Seconds(), "records/s")
}
