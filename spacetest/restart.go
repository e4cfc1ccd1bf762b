package spacetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

// Restarter is a space whose server can be ended and started again under it.
type Restarter interface {
	// Space returns the space. It stays the same and finds its server again.
	Space() space.Space
	// Restart ends the server, in the worst way that its durability promises to survive, and starts it on the same data.
	Restart()
}

// Crasher is implemented by Restarters whose Restart ends the server indeed: no transaction outlives it, and a call
// that has ended before has no effect afterwards. Without it a Restarter may leave the server alone, and only have its
// clients lose it for a moment.
type Crasher interface {
	Crashes()
}

// RunRestart runs the cases about what survives a restart. open returns an empty space, as for Run.
func RunRestart(t *testing.T, open func(tb testing.TB) Restarter) {
	for _, c := range slices.Concat(restartCases(), restartTxnCases()) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := open(t)
			_, crashes := r.(Crasher)
			c.run(&kit{T: t, ctx: t.Context(), sp: r.Space(), restart: r.Restart, crashes: crashes})
		})
	}
}

func restartCases() cases {
	return cases{
		{"an empty space is empty again", restartEmpty},
		{"entries are there again, in their order and with all fields", restartEntries},
		{"what was taken or cancelled stays gone", restartRemoved}, // semantics 9.2
		{"kinds keep their schemas", restartKinds},
		{"leases keep their expiry", restartLeases},    // semantics 6.4
		{"renewals and cancels hold", restartRenewals}, // semantics 6.4
		{"identities are not used again", restartIdentities},
		{"a waiting read still gets what is written", restartReads},                              // semantics 2.2
		{"a waiting take still gets what is written, or says that it cannot know", restartTakes}, // semantics 2.2
		{"a registration gets every event, once and in order", restartEvents},                    // semantics 7.3
		{"events that were not read yet are not lost", restartUnread},                            // semantics 7.3
		{"events of every type go on where they were", restartEventTypes},                        // semantics 7.3, 7.4
		{"a registration under a transaction goes on or ends with it", restartTxnRegistration},   // semantics 7.2
		{"a registration that was closed stays closed", restartClosedRegistration},
		{"prepared templates go on", restartPrepared},
		{"a keeper keeps its leases", restartKeeper},                    // semantics 6.6
		{"a bulk write is there as a whole or not at all", restartBulk}, // semantics 8.1
		{"an iteration that is cut short says so", restartContents},     // semantics 8.3
		{"work goes on, and each job is done once", restartWork},
		{"a random concurrent run breaks no promise", restartHistory},
		{"a random concurrent run is linearizable", restartLinearizable},
		{"a random concurrent run is told event by event", restartTold},
		{"a random run of transactions breaks no promise", restartTxns},
		{"a random run of transactions is linearizable call by call", restartTxnsLinearizable},
	}
}

func restartEmpty(k *kit) {
	k.restart()
	require.Zero(k, k.total())
	k.restart()
	write(k, e1)
	require.Equal(k, e1, take(k, e1))
}

func restartEntries(k *kit) {
	write(k, sample())
	var want []simple
	for i := range 100 {
		want = append(want, simple{fmt.Sprint(i % 3), i * 37 % 100})
	}
	writeAll(k, want[:50]...)
	k.restart()
	writeAll(k, want[50:]...)
	k.restart()
	require.Equal(k, want, readUpTo(k, 200, simple{}))
	require.Equal(k, simple{"0", 99}, read(k, simple{}, space.OrderBy("-id")))
	require.Equal(k, sample(), take(k, every{}))
	require.Equal(k, want, drain(k, simple{}))
}

func restartRemoved(k *kit) {
	ls := writeAll(k, e1, e2, e3, e1)
	take(k, e2)
	k.ok(ls[2].Cancel(k.ctx))
	k.restart()
	absent(k, e2)
	absent(k, e3)
	require.Equal(k, 2, k.total())
	take(k, e1)
	k.restart()
	require.Equal(k, []simple{e1}, drain(k, simple{}))
	k.restart()
	require.Zero(k, k.total())
	k.fails(space.ErrLeaseEnded, ls[0].Cancel(k.ctx))
}

func restartKinds(k *kit) {
	fleet(k)
	write(k, first{1})
	write(k, third{"grown", 1.5, 2})
	before, err := k.sp.Kinds(k.ctx)
	k.ok(err)
	k.restart()
	after, err := k.sp.Kinds(k.ctx)
	k.ok(err)
	require.Equal(k, before, after)
	require.Equal(k, 4, count(k, vehicle{}))
	require.Equal(k, []third{{A: 1}, {"grown", 1.5, 2}}, readUpTo(k, 10, third{}))
	_, err = space.Write(k.ctx, k.sp, conflicting{"1"})
	k.fails(space.ErrSchemaConflict, err)
	write(k, second{3, "three"})
	require.Equal(k, 3, count(k, second{}))
}

func restartLeases(k *kit) {
	began := time.Now()
	l := write(k, e1, space.For(short))
	later := write(k, e2, space.For(5*short))
	write(k, e3, space.For(long))
	write(k, e3)
	k.restart()
	k.ended(l)
	require.GreaterOrEqual(k, time.Since(began), short)
	k.ended(later)
	require.GreaterOrEqual(k, time.Since(began), 5*short) // a restart does not shorten it
	require.Equal(k, []simple{e3, e3}, readUpTo(k, 10, simple{}))
	k.restart()
	require.Equal(k, 2, k.total())
}

func restartRenewals(k *kit) {
	ls := writeAll(k, e1, e2, e3)
	k.patiently(func(d time.Duration) bool {
		l := write(k, simple{"R", 1}, space.For(d))
		if _, err := l.Renew(k.ctx, long); err != nil {
			k.fails(space.ErrLeaseEnded, err)
			return false
		}
		k.restart()
		time.Sleep(d) // the first lease would be over
		require.Equal(k, simple{"R", 1}, take(k, simple{Name: "R"}))
		return true
	})
	granted, err := ls[0].Renew(k.ctx, long)
	k.ok(err)
	require.Equal(k, long, granted)
	_, err = ls[1].Renew(k.ctx, brief)
	k.ok(err)
	k.ok(ls[2].Cancel(k.ctx))
	k.restart()
	k.ended(ls[1])
	require.Equal(k, []simple{e1}, drain(k, simple{}))
}

func restartIdentities(k *kit) {
	seen := map[space.LeaseID]bool{}
	for range 4 {
		for _, l := range append(writeAll(k, e1, e2), write(k, e3)) {
			require.False(k, seen[l.ID()], l.ID())
			seen[l.ID()] = true
		}
		drain(k, simple{}) // not even those of entries that are gone
		k.restart()
	}
}

func restartReads(k *kit) {
	reader := startFind(k, verbs[0], simple{Name: "A"})
	bounded := startFind(k, verbs[0], simple{ID: 2}, space.Wait(long))
	k.parked(2)
	k.restart()
	k.parked(2)
	k.restart()
	write(k, e1)
	require.Equal(k, e1, reader.result(k))
	write(k, e2)
	require.Equal(k, e2, bounded.result(k))
}

// restartTakes: a take that waited when the server was ended may have been served just then, so that it may end with an
// unknown outcome; but it neither hangs nor ends with anything else, and consumes nothing that it does not return.
func restartTakes(k *kit) {
	taker := startFind(k, verbs[2], simple{Name: "A"})
	k.parked(1)
	k.restart()
	write(k, e1)
	got, err := taker.wait()
	if err != nil {
		k.fails(space.ErrOutcomeUnknown, err)
		require.Equal(k, e1, take(k, e1)) // the old server never had it
		return
	}
	require.Equal(k, e1, got)
	absent(k, e1)
}

func restartEvents(k *kit) {
	reg := notify(k, simple{Name: "A"})
	const rounds, each = 4, 20
	want := 0
	for round := range rounds {
		for i := range each {
			write(k, simple{"A", round*each + i})
			write(k, simple{"B", i})
		}
		if round%2 == 0 { // some are collected before the restart, others after
			for _, v := range next[simple](k, reg, reg.Start()+uint64(want), each/2) {
				require.Equal(k, want, v.ID)
				want++
			}
		}
		k.restart()
	}
	write(k, mark)
	for _, v := range next[simple](k, reg, reg.Start()+uint64(want), rounds*each-want) {
		require.Equal(k, want, v.ID)
		want++
	}
	k.ok(reg.Close())
}

// restartUnread leaves events unread that are more than what a client holds: they are in the server's memory only, and
// in its log.
func restartUnread(k *kit) {
	reg := notify(k, simple{})
	const n = 60
	padding := strings.Repeat("padding ", 8<<10)
	for i := range n {
		write(k, simple{padding, i + 1})
	}
	k.restart()
	write(k, mark)
	for i, v := range untilMark(k, reg) {
		require.Equal(k, i+1, v.ID)
	}
	k.restart()
	require.Equal(k, n+1, k.total())
}

func restartEventTypes(k *kit) {
	reg := notify(k, simple{}, space.On(eventTypesAll...))
	var want []happening
	add := func(t space.EventType, v simple) { want = append(want, happening{t, v}) }
	for i := 1; i <= 8; i++ {
		v, changed := simple{"A", i}, simple{"B", i}
		l := write(k, v)
		add(space.Written, v)
		if i%4 == 0 {
			k.restart()
		}
		replace(k, l.ID(), 0, changed)
		add(space.Updated, changed)
		_, err := l.Renew(k.ctx, long)
		k.ok(err)
		add(space.Renewed, changed)
		if i%4 == 1 {
			k.restart()
		}
		t := begin(k)
		take(k, changed, space.In(t))
		abort(k, t)
		add(space.Visible, changed)
		if i%4 == 2 {
			k.restart()
		}
		if i%2 == 0 {
			k.ok(l.Cancel(k.ctx))
			add(space.Cancelled, changed)
		} else {
			take(k, changed)
			add(space.Taken, changed)
		}
	}
	for len(want) > 0 {
		e, err := reg.Next(k.ctx)
		k.ok(err)
		if e.Type == space.Gap { // a restart may have ended transactions
			require.Equal(k, space.GapRestart, e.Cause)
			require.Zero(k, e.Missed)
			continue
		}
		require.Equal(k, want[0], happening{e.Type, decode(k, []space.Entry{e.Entry})[0]})
		want = want[1:]
	}
	k.ok(reg.Close())
}

// restartTxnRegistration: a crash aborts transactions, and so ends the registrations under them; a lost connection need
// not.
func restartTxnRegistration(k *kit) {
	t := begin(k)
	reg := notify(k, simple{}, space.In(t))
	write(k, e1, space.In(t))
	require.Equal(k, []simple{e1}, next[simple](k, reg, reg.Start(), 1))
	k.restart()
	want := on(space.Written, e2)
	if _, err := space.Write(k.ctx, k.sp, e2, space.In(t)); err != nil {
		want = nil
	} else {
		commit(k, t)
	}
	require.Equal(k, want, toTheEnd(k, resumed{reg, reg.Start() + 1}))
	require.Len(k, drain(k, simple{}), 2*len(want))
}

func restartClosedRegistration(k *kit) {
	closed, ended := notify(k, simple{}), notify(k, simple{}, space.For(brief))
	k.ok(closed.Close())
	k.restart()
	write(k, e1)
	_, err := ended.Next(k.ctx)
	for ; err == nil; _, err = ended.Next(k.ctx) { // a slow machine may have written within the lease
	}
	k.fails(space.ErrLeaseEnded, err)
	_, err = closed.Next(k.ctx)
	k.fails(space.ErrClosed, err)
	k.fails(space.ErrLeaseEnded, closed.Lease().Cancel(k.ctx))
}

func restartPrepared(k *kit) {
	p := prepare(k, e1, space.NoWait())
	_, err := p.Write(k.ctx)
	k.ok(err)
	k.restart()
	_, err = p.Write(k.ctx)
	k.ok(err)
	for range 2 {
		got, err := p.Take(k.ctx)
		k.ok(err)
		require.Equal(k, e1, got)
	}
	require.Zero(k, k.total())
}

func restartKeeper(k *kit) {
	k.patiently(func(d time.Duration) bool {
		d *= 10
		l := write(k, e1, space.For(d))
		keeper := space.KeepAlive(k.ctx, d, l)
		defer keeper.Stop()
		began := time.Now()
		k.restart()
		time.Sleep(time.Until(began.Add(2 * d))) // the first lease would be over
		return k.visible(l.ID())
	})
}

// restartBulk ends the server under bulk writes: each list is there as a whole, or its write failed.
func restartBulk(k *kit) {
	ctx, stop := context.WithCancel(k.ctx)
	var wg sync.WaitGroup
	acknowledged := make([]int, 3)
	for w := range acknowledged {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				name := fmt.Sprint(w, " ", i)
				_, err := space.WriteAll(ctx, k.sp, []simple{{name, 1}, {name, 2}, {name, 3}})
				if err == nil {
					acknowledged[w]++
				}
			}
		})
	}
	for range 3 {
		k.restart()
	}
	stop()
	wg.Wait()
	lists := map[string]int{}
	for _, v := range collect(k, simple{}) {
		lists[v.Name]++
	}
	for name, n := range lists {
		require.Equal(k, 3, n, name)
	}
	require.GreaterOrEqual(k, len(lists), acknowledged[0]+acknowledged[1]+acknowledged[2])
}

func restartContents(k *kit) {
	const n = 4000
	vs := make([]simple, n)
	for i := range vs {
		vs[i] = simple{"A", i + 1}
	}
	writeAll(k, vs...)
	yielded, failed := 0, false
	for _, err := range space.Contents(k.ctx, k.sp, simple{}) {
		if failed = err != nil; failed {
			break
		}
		if yielded++; yielded == 10 {
			k.restart()
		}
	}
	if !failed {
		require.Equal(k, n, yielded)
	}
	require.Len(k, collect(k, simple{}), n)
}

func restartHistory(k *kit) {
	w := workload{clients: 6, calls: 250, keys: 3, colors: 3, crossKeys: true, unsteady: true, crashes: k.crashes}
	judge(k, w, w.run(k, []space.Space{k.sp}, k.restart, k.restart, k.restart))
}

func restartLinearizable(k *kit) {
	w := workload{clients: 3, calls: 60, keys: 4, colors: 2, unsteady: true, crashes: k.crashes}
	judge(k, w, w.run(k, []space.Space{k.sp}, k.restart, k.restart))
}

func restartTold(k *kit) {
	told(k, workload{clients: 4, calls: 150, keys: 3, colors: 3, unsteady: true}, k.restart, k.restart, k.restart)
}

func restartTxns(k *kit) {
	w := workload{
		clients: 6, calls: 100, keys: 3, colors: 3, crossKeys: true, txns: 60, updates: 7, unsteady: true,
		crashes: k.crashes,
	}
	judge(k, w, w.run(k, []space.Space{k.sp}, k.restart, k.restart, k.restart))
}

func restartTxnsLinearizable(k *kit) {
	w := workload{clients: 3, calls: 20, keys: 3, colors: 2, txns: 50, updates: 7, unsteady: true, crashes: k.crashes}
	judge(k, w, w.run(k, []space.Space{k.sp}, k.restart, k.restart))
}
