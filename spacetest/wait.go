package spacetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func waitCases() cases {
	return cases{
		{"a waiting call gets what is written later", waitGetsLater},                           // semantics 4.1
		{"each of many waiting reads gets its own match", waitManyReads},                       // semantics 4.1
		{"each of many waiting takes gets its own match", waitManyTakes},                       // semantics 4.1
		{"one write satisfies all waiting reads and one take", waitAllReadsOneTake},            // semantics 3.3
		{"a waiting read does not hide the entry from later calls", waitReadHidesNothing},      // semantics 3.3
		{"waiting takes are served in the order in which they arrived", waitInOrder},           // semantics 3.3
		{"a waiting take is passed over by what it does not match", waitPassedOver},            // semantics 3.3
		{"a write that matches no waiting call leaves them waiting", waitUnmatched},            // semantics 3.4
		{"a cancelled call returns the context's error", waitCancelled},                        // semantics 2.1
		{"a cancelled take consumes nothing and lets the next one have it", waitCancelledTake}, // semantics 2.3
		{"a cancel that crosses a write loses nothing", waitCancelCrosses},                     // semantics 2.3
		{"an expired wait consumes nothing", waitExpired},                                      // semantics 2.3
		{"a wait that crosses a write loses nothing", waitExpiryCrosses},                       // semantics 2.3
		{"IfExists waits for nothing that is not there", waitIfExists},                         // semantics 4.1
		{"a call waits for one of several templates", waitSeveral},
		{"an expired entry serves no wait", waitNotExpired},
		{"an entry whose lease ends at once serves no wait", waitNotEnded}, // semantics 6.1
		{"takers and writers of a chain hand on a token", waitRing},
		{"many calls may wait at once", waitMany},
	}
}

// Waiter is implemented by spaces that can tell how many calls wait in them at this moment. Cases that have to know
// that a call waits before they go on ask it; where it is missing, those about the order of waiting calls are skipped.
type Waiter interface {
	Waiting(ctx context.Context) (int, error)
}

// parked returns when n calls wait in the space, and whether the space can tell. If it cannot, parked returns at once,
// and the case must be right either way.
func (k *kit) parked(n int) bool {
	k.Helper()
	w, ok := k.sp.(Waiter)
	if !ok {
		return false
	}
	for {
		waiting, err := w.Waiting(k.ctx)
		k.ok(err)
		if waiting == n {
			return true
		}
		time.Sleep(time.Millisecond) // the next look
	}
}

// needParked is parked for cases that prove nothing without it.
func (k *kit) needParked(n int) {
	k.Helper()
	if !k.parked(n) {
		k.Skip("this space does not tell how many calls wait")
	}
}

func waitGetsLater(k *kit) {
	for _, v := range []verb{verbs[0], verbs[2]} {
		for _, opts := range [][]space.TakeOption{nil, {space.Wait(long)}} {
			p := startFind(k, v, simple{Name: "A"}, opts...)
			k.parked(1)
			write(k, e2)
			write(k, e1)
			require.Equal(k, e1, p.result(k))
			require.Equal(k, map[bool]int{false: 2, true: 1}[v.take], len(drain(k, simple{})))
		}
	}
}

func waitManyReads(k *kit) {
	const n = 20
	var readers []*pending[simple]
	for i := range n {
		readers = append(readers, startFind(k, verbs[0], simple{ID: i + 1}))
	}
	k.parked(n)
	for i := range n {
		write(k, simple{"A", n - i})
	}
	for i, r := range readers {
		require.Equal(k, simple{"A", i + 1}, r.result(k))
	}
	require.Equal(k, n, k.total())
}

func waitManyTakes(k *kit) {
	const n = 20
	var takers []*pending[simple]
	for i := range n {
		takers = append(takers, startFind(k, verbs[2], simple{ID: i + 1}))
	}
	k.parked(n)
	var vs []simple
	for i := range n {
		vs = append(vs, simple{"A", n - i})
	}
	writeAll(k, vs...)
	for i, r := range takers {
		require.Equal(k, simple{"A", i + 1}, r.result(k))
	}
	require.Zero(k, k.total())
}

func waitAllReadsOneTake(k *kit) {
	var readers []*pending[simple]
	for range 5 {
		readers = append(readers, startFind(k, verbs[0], simple{Name: "A"}))
	}
	taker := startFind(k, verbs[2], simple{ID: 1})
	for range 5 {
		readers = append(readers, startFind(k, verbs[0], simple{ID: 1}))
	}
	k.needParked(11)
	other := startFind(k, verbs[2], simple{ID: 1})
	k.needParked(12)
	write(k, e1)
	for _, r := range readers {
		require.Equal(k, e1, r.result(k))
	}
	require.Equal(k, e1, taker.result(k))
	absent(k, simple{})
	k.needParked(1)
	write(k, e1)
	require.Equal(k, e1, other.result(k))
}

func waitReadHidesNothing(k *kit) {
	reader := startFind(k, verbs[0], e1)
	k.parked(1)
	write(k, e1)
	require.Equal(k, e1, read(k, e1))
	require.Equal(k, e1, reader.result(k))
	require.Equal(k, e1, take(k, e1))
}

func waitInOrder(k *kit) {
	const n = 10
	templates := []simple{{}, {Name: "A"}, {}, {Name: "A"}} // arrival counts, however a call is indexed
	var takers []*pending[simple]
	for i := range n {
		takers = append(takers, startFind(k, verbs[2], templates[i%len(templates)]))
		k.needParked(i + 1)
	}
	for i := range n {
		write(k, simple{"A", i + 1})
	}
	for i, t := range takers {
		require.Equal(k, simple{"A", i + 1}, t.result(k))
	}
}

func waitPassedOver(k *kit) {
	early := startFind(k, verbs[2], simple{Name: "A"})
	k.needParked(1)
	late := startFind(k, verbs[2], simple{})
	k.needParked(2)
	write(k, e2)
	require.Equal(k, e2, late.result(k))
	write(k, e1)
	require.Equal(k, e1, early.result(k))
}

func waitUnmatched(k *kit) {
	taker := startFind(k, verbs[2], simple{Name: "Z"})
	reader := startFind(k, verbs[0], every{})
	k.parked(2)
	population(k)
	k.parked(2)
	require.Len(k, drain(k, simple{}), 6)
	write(k, simple{"Z", 1})
	require.Equal(k, simple{"Z", 1}, taker.result(k))
	write(k, sample())
	require.Equal(k, sample(), reader.result(k))
}

func waitCancelled(k *kit) {
	for _, v := range []verb{verbs[0], verbs[2]} {
		p := startFind(k, v, e1, space.Wait(long))
		k.parked(1)
		p.cancel()
		_, err := p.wait()
		k.fails(context.Canceled, err)
		k.parked(0)
	}
}

func waitCancelledTake(k *kit) {
	cancelled := startFind(k, verbs[2], e1)
	k.parked(1)
	next := startFind(k, verbs[2], e1)
	k.parked(2)
	cancelled.cancel()
	_, err := cancelled.wait()
	k.fails(context.Canceled, err)
	write(k, e1)
	require.Equal(k, e1, next.result(k))
	write(k, e1)
	require.Equal(k, e1, take(k, e1))
}

// waitCancelCrosses cancels takes just when their entries are written: each entry is either returned or still there.
func waitCancelCrosses(k *kit) {
	for i := range 100 {
		v := simple{"A", i + 1}
		taker := startFind(k, verbs[2], v)
		if i%2 == 0 {
			k.parked(1)
		}
		var wg sync.WaitGroup
		wg.Go(taker.cancel)
		wg.Go(func() {
			if _, err := space.Write(k.ctx, k.sp, v); err != nil {
				k.Error(err)
			}
		})
		wg.Wait()
		got, err := taker.wait()
		if err == nil {
			require.Equal(k, v, got)
			absent(k, v)
			continue
		}
		k.fails(context.Canceled, err)
		require.Equal(k, v, take(k, v))
	}
}

func waitExpired(k *kit) {
	for range 3 {
		began := time.Now()
		_, err := space.Take(k.ctx, k.sp, e1, space.Wait(brief))
		k.fails(space.ErrNoMatch, err)
		require.GreaterOrEqual(k, time.Since(began), brief)
		write(k, e1)
		require.Equal(k, e1, take(k, e1))
	}
}

func waitExpiryCrosses(k *kit) {
	for i := range 50 {
		v := simple{"A", i + 1}
		taker := startFind(k, verbs[2], v, space.Wait(time.Millisecond))
		<-time.After(time.Duration(i%5) * time.Millisecond / 2) // so that they cross in many ways; any is right
		write(k, v)
		got, err := taker.wait()
		if err == nil {
			require.Equal(k, v, got)
			absent(k, v)
			continue
		}
		k.fails(space.ErrNoMatch, err)
		require.Equal(k, v, take(k, v))
	}
}

func waitIfExists(k *kit) {
	for _, v := range []verb{verbs[1], verbs[3]} {
		for _, opts := range [][]space.TakeOption{nil, {space.Wait(long)}} {
			_, err := find[simple](v)(k.ctx, k.sp, e1, opts...)
			k.fails(space.ErrNoMatch, err)
		}
	}
	k.parked(0)
	write(k, e1)
	require.Equal(k, e1, take(k, e1)) // no call waited for it
}

func waitSeveral(k *kit) {
	for _, v := range []simple{e1, {"Q", 9}} {
		taker := startFind(k, verbs[2], simple{Name: "A"}, space.Or(simple{ID: 9}), space.Or(every{}))
		k.parked(1)
		write(k, e2)
		write(k, v)
		require.Equal(k, v, taker.result(k))
		require.Equal(k, []simple{e2}, drain(k, simple{}))
	}
	_, err := space.Take(k.ctx, k.sp, simple{Name: "A"}, space.Or(every{}), space.Wait(brief))
	k.fails(space.ErrNoMatch, err)
}

func waitNotExpired(k *kit) {
	l := write(k, e1, space.For(brief))
	k.ended(l)
	taker := startFind(k, verbs[2], simple{})
	k.parked(1)
	write(k, e2)
	require.Equal(k, e2, taker.result(k))
}

func waitNotEnded(k *kit) {
	taker, reader := startFind(k, verbs[2], simple{Name: "A"}), startFind(k, verbs[0], simple{Name: "A"})
	k.needParked(2)
	write(k, e1, space.For(0))
	write(k, e3)
	require.Equal(k, e3, taker.result(k))
	require.Equal(k, e3, reader.result(k))
	require.Zero(k, k.total())
}

func waitRing(k *kit) {
	const stations, rounds = 5, 20
	var wg sync.WaitGroup
	for i := range stations {
		wg.Go(func() {
			for range rounds {
				v, err := space.Take(k.ctx, k.sp, simple{Name: fmt.Sprint(i)})
				if err != nil {
					k.Error(err)
					return
				}
				v.Name, v.ID = fmt.Sprint((i+1)%stations), v.ID+1
				if _, err := space.Write(k.ctx, k.sp, v); err != nil {
					k.Error(err)
					return
				}
			}
		})
	}
	write(k, simple{"0", 0})
	wg.Wait()
	require.Equal(k, []simple{{"0", stations * rounds}}, drain(k, simple{}))
}

func waitMany(k *kit) {
	const n = 500
	var takers []*pending[simple]
	for i := range n {
		takers = append(takers, startFind(k, verbs[2], simple{Name: "A", ID: i + 1}))
	}
	k.parked(n)
	for i := n; i > 0; i-- {
		write(k, simple{"A", i})
	}
	for i, t := range takers {
		require.Equal(k, i+1, t.result(k).ID)
	}
	k.parked(0)
}
