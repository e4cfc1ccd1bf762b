package spacetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func notifyCases() cases {
	return cases{
		{"every matching write is an event", notifyWrites}, // semantics 7.1
		{"every template gets its events", notifyMatrix},
		{"what was written before registering is no event", notifyNotBefore},   // semantics 7.1
		{"takes, reads, cancels and expiries are no events", notifyOnlyWrites}, // semantics 7.1
		{"numbers are dense and start after the registration's", notifyDense},  // semantics 7.3
		{"each registration counts on its own", notifyOwnSequence},             // semantics 7.3
		{"events come in the order of the writes", notifyOrder},                // semantics 7.3
		{"concurrent writes are an event each", notifyConcurrent},              // semantics 7.3
		{"a bulk write is an event per entry, in order", notifyBulk},
		{"an entry that a waiting take gets at once is an event too", notifyTakenAtOnce}, // semantics 7.1
		{"an entry that several templates match is one event", notifyOnce},               // semantics 7.4
		{"the event carries the entry as it was written", notifyCarries},                 // semantics 7.4
		{"outer kinds are events for the kinds they embed", notifySubs},
		{"a write that expires is an event, one that is never visible is none", notifyZeroLease},
		{"events follow conditions", notifyConditions},
		{"a listener that does not collect delays no other", notifySlow}, // semantics 7.5
		{"a closed registration ends", notifyClose},
		{"the lease bounds the registration", notifyLease}, // semantics 6.1
		{"a cancelled lease ends the registration", notifyCancelLease},
		{"a renewed registration goes on", notifyRenew},
		{"Next ends with its context, and loses nothing by it", notifyNextCancelled},
		{"a negative lease is refused", notifyInvalid}, // semantics 6.1
		{"an iteration over events registers, and cancels when it is left", notifyEvents},
		{"an iteration over events ends with its context", notifyEventsCancelled},
	}
}

// notify registers and closes the registration with the test.
func notify[T any](k *kit, template T, opts ...space.NotifyOption) space.Registration {
	k.Helper()
	reg, err := space.Notify(k.ctx, k.sp, template, opts...)
	k.ok(err)
	k.Cleanup(func() { _ = reg.Close() })
	return reg
}

// next returns the next n events' values, which must be writes numbered from where the last left off.
func next[T any](k *kit, reg space.Registration, after uint64, n int) []T {
	k.Helper()
	var vs []T
	for i := range n {
		e, err := reg.Next(k.ctx)
		k.ok(err)
		require.Equal(k, space.Written, e.Type)
		require.Equal(k, after+uint64(i)+1, e.Seq)
		v, err := space.Decode[T](e.Entry)
		k.ok(err)
		vs = append(vs, v)
	}
	return vs
}

// mark is an entry that cases write last: once its event has come, no other is on its way.
var mark = simple{"mark", 1 << 30}

// untilMark returns the values of all events before the mark's.
func untilMark(k *kit, reg space.Registration) []simple {
	k.Helper()
	var vs []simple
	for seq := reg.Start(); ; seq++ {
		v := next[simple](k, reg, seq, 1)[0]
		if v == mark {
			return vs
		}
		vs = append(vs, v)
	}
}

func notifyWrites(k *kit) {
	k.needOnePartition()
	reg := notify(k, simple{Name: "A"})
	writeAll(k, e1, e2, e3)
	write(k, e1)
	require.Equal(k, []simple{e1, e3, e1}, next[simple](k, reg, reg.Start(), 3))
}

func notifyMatrix(k *kit) {
	k.needOnePartition()
	for _, s := range shapes {
		q := s.query(k)
		m := k.match(mark)
		q.Templates = append(q.Templates, m.Templates...)
		reg, err := k.sp.Notify(k.ctx, q, 0, space.Forever)
		k.ok(err)
		population(k)
		write(k, mark)
		require.Len(k, untilMark(k, reg), 2*len(s.matches), s.name)
		k.ok(reg.Close())
		drain(k, simple{})
	}
}

func notifyNotBefore(k *kit) {
	population(k)
	reg := notify(k, simple{})
	write(k, mark)
	require.Empty(k, untilMark(k, reg))
}

func notifyOnlyWrites(k *kit) {
	l := write(k, e1)
	gone := write(k, e3, space.For(brief))
	write(k, e2)
	reg := notify(k, simple{})
	read(k, e2)
	take(k, e2)
	_, err := l.Renew(k.ctx, long)
	k.ok(err)
	k.ok(l.Cancel(k.ctx))
	k.ended(gone)
	write(k, mark)
	require.Empty(k, untilMark(k, reg))
}

func notifyDense(k *kit) {
	reg := notify(k, simple{Name: "A"})
	for i := range 50 {
		write(k, simple{"A", i})
		write(k, simple{"B", i})
	}
	next[simple](k, reg, reg.Start(), 50)
}

func notifyOwnSequence(k *kit) {
	k.needOnePartition()
	all := notify(k, simple{})
	write(k, e1)
	some := notify(k, simple{Name: "A"})
	require.NotEqual(k, all.Lease().ID(), some.Lease().ID())
	writeAll(k, e2, e3)
	require.Equal(k, []simple{e1, e2, e3}, next[simple](k, all, all.Start(), 3))
	require.Equal(k, []simple{e3}, next[simple](k, some, some.Start(), 1))
}

func notifyOrder(k *kit) {
	k.needOnePartition()
	reg := notify(k, simple{})
	var want []simple
	for i := range 100 {
		want = append(want, simple{"A", i * 37 % 100})
		write(k, want[i])
	}
	require.Equal(k, want, next[simple](k, reg, reg.Start(), 100))
}

func notifyConcurrent(k *kit) {
	const writers, each = 4, 50
	reg := notify(k, simple{})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if _, err := space.Write(k.ctx, k.sp, simple{fmt.Sprint(w), i}); err != nil {
					k.Error(err)
				}
			}
		})
	}
	told := map[string][]simple{}
	for _, v := range next[simple](k, reg, reg.Start(), writers*each) {
		told[v.Name] = append(told[v.Name], v)
	}
	for w := range writers {
		var all []simple
		for i := range each {
			all = append(all, simple{fmt.Sprint(w), i})
		}
		if _, ok := k.sp.(Scattered); ok { // the events of one partition are in order
			require.ElementsMatch(k, all, told[fmt.Sprint(w)])
		} else {
			require.Equal(k, all, told[fmt.Sprint(w)])
		}
	}
	wg.Wait()
}

func notifyBulk(k *kit) {
	reg := notify(k, simple{ID: 2})
	writeAll(k, e1, e3, e2, e3, mark)
	require.Equal(k, []simple{e3, e2, e3}, next[simple](k, reg, reg.Start(), 3))
}

func notifyTakenAtOnce(k *kit) {
	reg := notify(k, simple{})
	taker := startFind(k, verbs[2], e1)
	k.parked(1)
	write(k, e1)
	require.Equal(k, e1, taker.result(k))
	require.Equal(k, []simple{e1}, next[simple](k, reg, reg.Start(), 1))
}

func notifyOnce(k *kit) {
	reg := notify(k, simple{Name: "A"}, space.Or(simple{ID: 1}), space.Or(simple{}), space.Or(e1))
	writeAll(k, e1, e2, mark)
	require.Equal(k, []simple{e1, e2}, untilMark(k, reg))
}

func notifyCarries(k *kit) {
	reg := notify(k, every{})
	l := write(k, sample())
	take(k, every{})
	e, err := reg.Next(k.ctx)
	k.ok(err)
	require.Equal(k, l.ID(), e.Entry.ID)
	v, err := space.Decode[every](e.Entry)
	k.ok(err)
	require.Equal(k, sample(), v)
}

func notifySubs(k *kit) {
	k.needOnePartition()
	reg := notify(k, car{})
	fleet(k)
	write(k, aCar)
	require.Equal(k, []car{aCar, aVan.car, aCar}, next[car](k, reg, reg.Start(), 3))
}

func notifyZeroLease(k *kit) {
	k.needOnePartition()
	reg := notify(k, simple{})
	l := write(k, e1, space.For(brief))
	k.ended(l)
	write(k, mark)
	require.Equal(k, []simple{e1}, untilMark(k, reg))

	reg = notify(k, simple{})
	write(k, e1, space.For(0)) // never visible
	write(k, mark)
	require.Empty(k, untilMark(k, reg))
}

func notifyConditions(k *kit) {
	k.needOnePartition()
	reg := notify(k, simple{}, space.Where("id", space.Between(5, 7)), space.Or(mark))
	for i := range 10 {
		write(k, simple{"A", i})
	}
	write(k, mark)
	require.Equal(k, []simple{{"A", 5}, {"A", 6}, {"A", 7}}, untilMark(k, reg))
}

func notifySlow(k *kit) {
	k.needOnePartition()
	const n = 2000
	slow, quick := notify(k, simple{}), notify(k, simple{})
	vs := make([]simple, 100)
	for i := range n / len(vs) {
		for j := range vs {
			vs[j] = simple{"A", i*len(vs) + j}
		}
		writeAll(k, vs...)
	}
	got := next[simple](k, quick, quick.Start(), n)
	require.Equal(k, got, next[simple](k, slow, slow.Start(), n))
	for i, v := range got {
		require.Equal(k, i, v.ID)
	}
}

func notifyClose(k *kit) {
	reg := notify(k, simple{})
	waiting := start(k, func(ctx context.Context) (space.Event, error) { return reg.Next(ctx) })
	k.ok(reg.Close())
	_, err := waiting.wait()
	k.fails(space.ErrClosed, err)
	_, err = reg.Next(k.ctx)
	k.fails(space.ErrClosed, err)
	k.ok(reg.Close())
	k.fails(space.ErrLeaseEnded, reg.Lease().Cancel(k.ctx))
	write(k, e1)
}

func notifyLease(k *kit) {
	reg := notify(k, simple{}, space.For(brief))
	require.LessOrEqual(k, reg.Lease().Granted(), brief)
	_, err := reg.Next(k.ctx)
	k.fails(space.ErrLeaseEnded, err)
	k.fails(space.ErrLeaseEnded, reg.Lease().Cancel(k.ctx))

	zero := notify(k, simple{}, space.For(0))
	_, err = zero.Next(k.ctx)
	k.fails(space.ErrLeaseEnded, err)
}

func notifyCancelLease(k *kit) {
	reg := notify(k, simple{})
	write(k, e1)
	k.ok(reg.Lease().Cancel(k.ctx))
	write(k, e2)
	e, err := reg.Next(k.ctx)
	if err == nil { // what had been written before may still come
		require.Equal(k, []simple{e1}, decode(k, []space.Entry{e.Entry}))
		_, err = reg.Next(k.ctx)
	}
	k.fails(space.ErrLeaseEnded, err)
	k.fails(space.ErrLeaseEnded, reg.Lease().Cancel(k.ctx))
}

func notifyRenew(k *kit) {
	k.patiently(func(d time.Duration) bool {
		reg := notify(k, simple{}, space.For(d))
		granted, err := reg.Lease().Renew(k.ctx, long)
		if errors.Is(err, space.ErrLeaseEnded) {
			return false
		}
		k.ok(err)
		require.Equal(k, long, granted)
		time.Sleep(2 * d) // the first lease would be over
		write(k, e1)
		require.Equal(k, []simple{e1}, next[simple](k, reg, reg.Start(), 1))
		return true
	})
}

func notifyNextCancelled(k *kit) {
	reg := notify(k, simple{})
	ctx, cancel := context.WithTimeout(k.ctx, brief)
	defer cancel()
	_, err := reg.Next(ctx)
	k.fails(context.DeadlineExceeded, err)
	writeAll(k, e1, e2)
	require.Equal(k, []simple{e1, e2}, next[simple](k, reg, reg.Start(), 2))
}

func notifyInvalid(k *kit) {
	_, err := space.Notify(k.ctx, k.sp, simple{}, space.For(-1))
	k.fails(space.ErrInvalidArgument, err)
	_, err = k.sp.Notify(k.ctx, k.match(), 0, -1)
	k.fails(space.ErrInvalidArgument, err)
	_, err = k.sp.Notify(k.ctx, space.Query{}, 0, long)
	k.fails(space.ErrInvalidArgument, err)
	_, err = space.Notify(k.ctx, k.sp, simple{}, space.Where("name", space.Eq(1)))
	k.fails(space.ErrInvalidArgument, err)
}

func notifyEvents(k *kit) {
	ctx, cancel := context.WithCancel(k.ctx)
	defer cancel()
	writer := start(k, func(context.Context) (struct{}, error) {
		for i := 1; ctx.Err() == nil; i++ { // the iteration registers at some moment; from then on it sees all
			if _, err := space.Write(k.ctx, k.sp, simple{"A", i}); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	first, seen := 0, 0
	for e, err := range space.Events(k.ctx, k.sp, simple{}) {
		k.ok(err)
		require.Equal(k, space.Written, e.Type)
		if first == 0 {
			first = e.Value.ID
		}
		require.Equal(k, first+seen, e.Value.ID)
		if seen++; seen == 10 {
			break
		}
	}
	cancel()
	writer.result(k)
}

func notifyEventsCancelled(k *kit) {
	ctx, cancel := context.WithTimeout(k.ctx, brief)
	defer cancel()
	var last error
	for _, err := range space.Events(ctx, k.sp, simple{}) {
		last = err
	}
	k.fails(context.DeadlineExceeded, last)
}
