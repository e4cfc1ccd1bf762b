package partition_test

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

var holdEntries = flag.Int("hold.entries", 3_000_000, "of the space in BenchmarkHold")

// BenchmarkHold reports how long the lock of a partition with three million entries is held at a time: the longest
// hold, and the 99.9th percentile, in microseconds of the wall clock (max-µs, p99.9-µs) and of the processor
// (cpu-max-µs, cpu-p99.9-µs), which other processes do not disturb. Each operation is the worst of its kind: a count
// that no index serves, ordered takes and takes by key of 64 callers who make their indexes start, commits and aborts
// of large transactions, leases that end together.
func BenchmarkHold(b *testing.B) {
	for _, c := range []struct {
		name string
		run  func(f *full)
	}{
		{"count", (*full).count},
		{"operands", (*full).operands},
		{"take", (*full).take},
		{"range", (*full).rangeTake},
		{"ordered", (*full).ordered},
		{"bulk", (*full).bulk},
		{"write", func(f *full) { f.largest(3) }},
		{"write=4MiB", func(f *full) { f.largest(1000) }},
		{"write=8MiB", func(f *full) { f.largest(2000) }},
		{"commit", (*full).commit},
		{"abort", (*full).abort},
		{"rollback", (*full).rollback},
		{"goodbye", (*full).goodbye},
		{"expiry", (*full).expiry},
		{"contents", (*full).contents},
		{"image", (*full).image},
		{"stats", (*full).stats},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				f := newFull(b)
				b.StartTimer()
				c.run(f)
				b.StopTimer()
				f.report()
				b.StartTimer()
			}
		})
	}
}

// holds are the durations for which a lock was held.
type holds struct {
	on        bool // measure the next hold
	pinned    bool // the current one is measured
	at        time.Time
	cpu       int64
	wall, own []time.Duration
}

func (h *holds) locked() {
	if h.on {
		runtime.LockOSThread() // measures the thread's time
		h.pinned = true
		h.cpu, h.at = threadTime(), time.Now()
	}
}

func (h *holds) unlocking() {
	if h.pinned {
		h.wall = append(h.wall, time.Since(h.at))
		h.own = append(h.own, time.Duration(threadTime()-h.cpu))
		h.pinned = false
		runtime.UnlockOSThread()
	}
}

// threadTime returns the processor time of this thread, in nanoseconds.
func threadTime() int64 {
	var ts syscall.Timespec
	const clockThreadCPU = 3
	_, _, _ = syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPU, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

var task = &template.Schema{Kind: "task", Fields: []template.Field{
	{Name: "key", Class: template.Int}, {Name: "prio", Class: template.Int}, {Name: "state", Class: template.String},
}}

// bin is a log that keeps nothing.
type bin struct{ last atomic.Uint64 }

func (l *bin) Append([]byte) error {
	l.last.Add(1)
	return nil
}

func (l *bin) Last() uint64 { return l.last.Load() }

func (l *bin) Read(context.Context, uint64, uint64, func(record.Group) error) error {
	return errors.New("there is nothing to read")
}

func (l *bin) Load(context.Context, func([]byte) error, func(done, total uint64)) (uint64, record.Clock, error) {
	return 0, record.Clock{}, nil
}

func (l *bin) CatchUp(
	context.Context, uint64, func(record.Group) error, func(done, total uint64),
) (uint64, error) {
	return 0, nil
}

func (l *bin) Claim(context.Context, uint64, record.Clock) (record.Group, error) {
	return record.Group{}, nil
}

// full is a partition with many entries.
type full struct {
	b     *testing.B
	p     *partition.Partition
	n     int
	holds holds
	call  uint64
	c     *caller
}

func newFull(b *testing.B) *full {
	f := &full{b: b, n: *holdEntries, c: newCaller()}
	f.p = partition.New(partition.Config{Log: new(bin)})
	partition.WatchHolds(f.p, f.holds.locked, f.holds.unlocking)
	require.NoError(b, f.p.Start(b.Context(), nil))
	b.Cleanup(func() { f.p.Close() })
	f.do(func(callID uint64) { f.p.Register(f.c, callID, task) })
	f.write(txn.ID{}, 0, f.n, call.Forever)
	f.watch(true)
	return f
}

// watch starts or stops measuring.
func (f *full) watch(on bool) {
	f.p.Begin()
	f.holds.on = on
	f.p.End()
}

func (f *full) report() {
	f.watch(false)
	for name, ds := range map[string][]time.Duration{"": f.holds.wall, "cpu-": f.holds.own} {
		slices.Sort(ds)
		f.b.ReportMetric(float64(ds[len(ds)-1].Nanoseconds())/1e3, name+"max-µs")
		f.b.ReportMetric(float64(ds[len(ds)*999/1000].Nanoseconds())/1e3, name+"p99.9-µs")
	}
	f.b.ReportMetric(float64(len(f.holds.wall)), "holds")
	require.NoError(f.b, f.p.Close())
}

func (f *full) do(start func(callID uint64)) *outcome {
	f.call++
	start(f.call)
	o := f.c.await(f.call)
	f.c.forget(f.call)
	return o
}

func taskRow(key, prio int, state string) template.Row {
	var row template.Row
	for _, v := range []template.Value{
		template.AppendInt(nil, int64(key)), template.AppendInt(nil, int64(prio)),
		template.AppendString(nil, state),
	} {
		row = append(binary.AppendUvarint(row, uint64(len(v))), v...)
	}
	return row
}

// write writes n tasks, in calls of a thousand.
func (f *full) write(under txn.ID, first, n int, lease int64) {
	var drafts []call.Draft
	for i := first; i < first+n; i++ {
		drafts = append(drafts, call.Draft{Kind: 1, Row: taskRow(i, i*7919%f.n, "new"), Lease: lease})
		if len(drafts) == 1000 || i == first+n-1 {
			o := f.do(func(callID uint64) { f.p.Write(f.c, callID, under, call.Request{}, drafts) })
			require.NoError(f.b, o.err)
			drafts = drafts[:0]
		}
	}
}

func where(field int, op template.Op, v template.Value) *call.Query {
	return &call.Query{
		Max:       1,
		Templates: []call.Template{{Kind: 1, Conds: []template.Cond{{Field: field, Op: op, Value: v}}}},
	}
}

func (f *full) find(q *call.Query) *outcome {
	o := f.do(func(callID uint64) { f.p.Find(f.c, callID, q, 0) })
	require.NoError(f.b, o.err)
	return o
}

func (f *full) count() {
	for range 3 {
		q := where(2, template.Ne, template.AppendString(nil, "done"))
		o := f.do(func(callID uint64) { f.p.Count(f.c, callID, q) })
		require.Equal(f.b, f.n, o.count)
	}
}

func (f *full) operands() {
	q := endless()
	f.p.Count(f.c, 1<<40, q)
	time.Sleep(time.Second)
	f.p.CancelWait(f.c, 1<<40)
	require.ErrorIs(f.b, f.c.await(1<<40).err, call.ErrCancelled)
}

// callers lets 64 callers make 20 calls each.
func (f *full) callers(query func(i int) *call.Query) {
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			c := newCaller()
			for j := range uint64(20) {
				f.p.Find(c, j, query(i*20+int(j)), 0)
				if err := c.await(j).err; err != nil {
					panic(err)
				}
			}
		})
	}
	wg.Wait()
}

func (f *full) take() {
	f.callers(func(i int) *call.Query {
		q := where(0, template.Eq, template.AppendInt(nil, int64((i+1)*2003%f.n)))
		q.Take = true
		return q
	})
}

func (f *full) ordered() {
	f.callers(func(int) *call.Query {
		q := where(2, template.Eq, template.AppendString(nil, "new"))
		q.Take, q.Order = true, []template.Order{{Field: 1, Desc: true}}
		return q
	})
}

func (f *full) rangeTake() {
	f.callers(func(int) *call.Query {
		q := where(1, template.Ge, template.AppendInt(nil, int64(f.n*9/10)))
		q.Take = true
		return q
	})
}

func (f *full) bulk() {
	q := where(2, template.Ne, template.AppendString(nil, "done"))
	q.Take, q.Max = true, 50_000
	require.Len(f.b, f.find(q).entries, call.MaxFind)
}

func (f *full) begin() txn.ID {
	o := f.do(func(callID uint64) { f.p.BeginTxn(f.c, callID, call.Forever, call.Request{}, "") })
	return txn.ID{Number: o.grants[0].ID}
}

// largest writes as many entries as one call may, with fields of the given size.
func (f *full) largest(bytes int) {
	var drafts []call.Draft
	for i := range call.DefaultTxnEntries {
		drafts = append(drafts, call.Draft{Kind: 1, Row: taskRow(i, i, string(make([]byte, bytes))), Lease: call.Forever})
	}
	o := f.do(func(callID uint64) { f.p.Write(f.c, callID, txn.ID{}, call.Request{}, drafts) })
	require.NoError(f.b, o.err)
}

// hold begins a transaction that holds the maximum number of entries: it writes half of them, and takes the other half.
func (f *full) hold() txn.ID {
	const n = call.DefaultTxnEntries / 2
	t := f.begin()
	f.write(t, f.n, n, call.Forever)
	for left := n; left > 0; left -= 1000 {
		q := where(2, template.Eq, template.AppendString(nil, "new"))
		q.Take, q.Max, q.Txn = true, min(left, 1000), t
		f.find(q)
	}
	return t
}

func (f *full) commit() {
	t := f.hold()
	o := f.do(func(callID uint64) { f.p.Commit(f.c, callID, t, call.Request{}, nil) })
	require.NoError(f.b, o.err)
}

func (f *full) abort() {
	t := f.hold()
	o := f.do(func(callID uint64) { f.p.Abort(f.c, callID, t) })
	require.NoError(f.b, o.err)
}

// rollback undoes everything, and then keeps as many takes as a transaction may hold.
func (f *full) rollback() {
	t := f.hold()
	roll := func(keep []uint64) {
		o := f.do(func(callID uint64) { f.p.Rollback(f.c, callID, t, keep) })
		require.NoError(f.b, o.err)
	}
	roll(nil)
	q := where(2, template.Eq, template.AppendString(nil, "new"))
	q.Take, q.Max, q.Txn = true, call.DefaultTxnEntries, t
	var keep []uint64
	for _, v := range f.find(q).entries {
		keep = append(keep, v.ID)
	}
	roll(keep)
}

// goodbye closes the session of a client that holds fifty thousand entries, each under its own transaction.
func (f *full) goodbye() {
	session, _, err := f.p.OpenSession(call.Client{1}, 0)
	require.NoError(f.b, err)
	q := where(2, template.Eq, template.AppendString(nil, "new"))
	q.Take, q.Begin, q.Lease, q.By, q.Max = true, true, call.Forever, call.Request{Session: session, Number: 1}, 1000
	for range 50 {
		f.find(q)
		q.By.Number++
	}
	f.p.CloseSession(session, true)
	q.Max = 1
	f.find(q)
}

// image draws an image of a session with 8 MiB of outcomes.
func (f *full) image() {
	session, _, err := f.p.OpenSession(call.Client{1}, 0)
	require.NoError(f.b, err)
	q := where(2, template.Eq, template.AppendString(nil, "new"))
	q.Take, q.By, q.Max = true, call.Request{Session: session, Number: 1}, 1000
	f.watch(false)
	for range min(250, f.n/1000) {
		f.find(q)
		q.By.Number++
	}
	f.watch(true)
	_, err = f.p.Snapshot(f.b.Context(), func(uint64, record.Clock) (partition.Image, error) { return shredder{}, nil })
	require.NoError(f.b, err)
}

// shredder is an image that is not kept.
type shredder struct{}

func (shredder) Write([]byte) error { return nil }
func (shredder) Commit() error      { return nil }
func (shredder) Abort() error       { return nil }

// stats asks for the numbers of a partition with very many registrations.
func (f *full) stats() {
	f.watch(false)
	for range 100_000 {
		o := f.do(func(callID uint64) {
			f.p.Notify(f.c, callID, where(0, template.Eq, template.AppendInt(nil, -1)), call.Events(call.Written), call.Forever)
		})
		require.NoError(f.b, o.err)
	}
	f.watch(true)
	for range 1000 {
		f.p.Stats()
	}
}

func (f *full) expiry() {
	lease := 2 * time.Second
	f.write(txn.ID{}, f.n, min(f.n, 500_000), int64(lease))
	time.Sleep(lease)
	o := f.do(func(callID uint64) { f.p.Kinds(f.c, callID) })
	require.NoError(f.b, o.err)
}

func (f *full) contents() {
	q := where(2, template.Eq, template.AppendString(nil, "done"))
	q.Max = 256
	for cursor, more := (call.Cursor{}), true; more; {
		o := f.do(func(callID uint64) { f.p.Contents(f.c, callID, q, cursor) })
		cursor, more = o.cursor, o.more
	}
}

func (*bin) Follow(context.Context, uint64, func(record.Group) error) error {
	panic("this log has no followers")
}

func (*bin) Resign(string, record.Clock) error { panic("this log has no heirs") }
func (*bin) Distrust() error                   { panic("this log has no images") }
