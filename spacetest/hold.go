package spacetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

// What a transaction has taken it holds, until its holder says what becomes of it, or vanishes.
func holdCases() cases {
	return cases{
		{"a holder whose lease ends has made an attempt", holdLapses},                     // 5.9
		{"a holder that gives up has made none", holdGivenUp},                             // 5.9
		{"who cancels an entry that is taken dooms its holder", holdDoomed},               // 5.6
		{"a doomed holder's calls that wait end", holdDoomedWaits},                        // 5.6, 4.6
		{"kinds tell what is ready, held and delayed", holdKinds},                         // 8.4
		{"held entries are found with their holders, and stay held", heldFound},           // 8.7
		{"held entries are counted and iterated", heldListed},                             // 8.7
		{"what is not held is not found as such, and not waited for", heldNothing},        // 8.7
		{"a query of held entries excludes a transaction and a wait", heldRefused},        // 8.6, 8.7
		{"an entry whose lease ends by itself leaves its holder to commit", holdOutlives}, // 5.6
	}
}

func holdLapses(k *kit) {
	k.needOnePartition()
	l := write(k, e1)
	write(k, e2)
	for n := range uint32(3) {
		t := begin(k)
		take(k, e1, space.In(t))
		take(k, e2, space.In(t))
		lapse(k, t)
		require.Equal(k, []simple{e1, e2}, readUpTo(k, 10, simple{}), "in their old places")
		require.Equal(k, n+1, k.stored(l.ID()).Attempts)
	}
}

func holdGivenUp(k *kit) {
	l := write(k, e1)
	for _, end := range []func(*kit, *space.Txn){
		abort, cancelTxn,
		func(k *kit, t *space.Txn) { k.ok(t.Rollback(k.ctx)); commit(k, t) },
	} {
		t := begin(k)
		take(k, e1, space.In(t))
		end(k, t)
		require.Zero(k, k.stored(l.ID()).Attempts)
	}
	t := begin(k)
	read(k, e1, space.In(t))
	lapse(k, t)
	require.Zero(k, k.stored(l.ID()).Attempts, "who reads holds nothing")
}

func holdDoomed(k *kit) {
	for _, end := range []func(t *space.Txn) error{
		func(t *space.Txn) error { return t.Commit(k.ctx) },
		func(t *space.Txn) error { return t.Abort(k.ctx) },
		func(t *space.Txn) error { return t.Rollback(k.ctx) },
	} {
		ls := writeAll(k, e1, e2, e3)
		t := begin(k)
		take(k, e1, space.In(t))
		take(k, e2, space.In(t))
		read(k, e3, space.In(t))
		write(k, simple{"own", 1}, space.In(t))
		k.ok(ls[0].Cancel(k.ctx))
		k.fails(space.ErrLeaseEnded, ls[0].Cancel(k.ctx))
		k.fails(space.ErrTxnEnded, end(t))
		require.Equal(k, []simple{e2, e3}, drain(k, simple{}), "nothing of it has happened")
	}
}

func holdDoomedWaits(k *kit) {
	l := write(k, e1)
	t := begin(k)
	take(k, e1, space.In(t))
	waits := startFind(k, verbs[2], e2, space.In(t))
	k.parked(1)
	k.ok(l.Cancel(k.ctx))
	_, err := waits.wait()
	k.fails(space.ErrTxnEnded, err)
}

func holdOutlives(k *kit) {
	l := write(k, e1, space.For(brief))
	t := begin(k)
	if _, err := space.Take(k.ctx, k.sp, e1, space.In(t), space.NoWait()); err != nil { // a slow machine
		k.fails(space.ErrNoMatch, err)
	}
	k.ended(l)
	write(k, e2, space.In(t))
	commit(k, t)
	require.Equal(k, []simple{e2}, drain(k, simple{}))
}

func holdKinds(k *kit) {
	info := func() (count, held, delayed int) {
		kinds, err := k.sp.Kinds(k.ctx)
		k.ok(err)
		require.Len(k, kinds, 1)
		return kinds[0].Count, kinds[0].Held, kinds[0].Delayed
	}
	expect := func(want ...int) {
		k.Helper()
		count, held, delayed := info()
		require.Equal(k, want, []int{count, held, delayed})
	}
	ls := writeAll(k, e1, e2, e3, e1, e2)
	write(k, e3, space.Delay(long))
	expect(5, 0, 1)
	a, b := begin(k), begin(k)
	take(k, e1, space.In(a))
	take(k, e1, space.In(a))
	replace(k, ls[1].ID(), 0, simple{"changed", 2}, space.In(b))
	write(k, simple{"own", 1}, space.In(b))
	read(k, e3, space.In(b))
	expect(2, 3, 1)
	commit(k, b)
	expect(4, 2, 1)
	k.ok(a.Defer(k.ctx, ls[0].ID(), long))
	commit(k, a)
	expect(4, 0, 2)
}

// held reads the held entries.
func held(k *kit, templates ...any) []space.Entry {
	k.Helper()
	q := k.match(templates...)
	q.Held, q.NoWait, q.Max = true, false, 100 // it does not wait
	entries, err := k.sp.Read(k.ctx, q)
	if err != nil {
		k.fails(space.ErrNoMatch, err)
	}
	return entries
}

// readHeld reads an entry that a transaction has taken.
func readHeld[T any](k *kit, template T, opts ...space.ReadOption) T {
	k.Helper()
	v, err := space.Read(k.ctx, k.sp, template, append(opts, space.Held())...)
	k.ok(err)
	return v
}

func heldFound(k *kit) {
	k.needOnePartition()
	ls := writeAll(k, e1, e2, e3)
	before := time.Now().Add(-time.Second) // clocks may be coarse
	a, b := begin(k, space.For(long)), begin(k)
	take(k, e3, space.In(a))
	take(k, e1, space.In(b))
	entries := held(k, simple{})
	require.Equal(k, []simple{e1, e3}, decode(k, entries), "the oldest first, whenever they were taken")
	after := time.Now()
	for i, t := range []*space.Txn{b, a} {
		h := entries[i].Held
		require.Equal(k, t.ID(), h.Txn)
		require.False(k, h.Since.Before(before) || h.Since.After(after), "since %v, not %v to %v", h.Since, before, after)
		left := t.Lease().Granted()
		require.False(k, h.Until.Before(before.Add(left)) || h.Until.After(after.Add(left)), "until %v", h.Until)
	}
	require.Equal(k, ls[0].ID(), entries[0].ID)
	require.Equal(k, entries[0].Held.Client, entries[1].Held.Client, "one client has taken both")

	all, err := space.ReadAll(k.ctx, k.sp, simple{}, 9, space.Held())
	k.ok(err)
	require.Equal(k, []simple{e1, e3}, all)
	require.Equal(k, e3, readHeld(k, simple{ID: 2}))
	require.Equal(k, e3, readHeld(k, simple{}, space.OrderBy("-id")))
	require.Equal(k, e1, readHeld(k, e2, space.Or(e1)))
	v, err := space.ReadIfExists(k.ctx, k.sp, simple{}, space.Held())
	k.ok(err)
	require.Equal(k, e1, v)
	q := k.match(simple{})
	q.Held, q.ID = true, ls[2].ID()
	entries, err = k.sp.Read(k.ctx, q)
	k.ok(err)
	require.Equal(k, []simple{e3}, decode(k, entries))

	require.Equal(k, []simple{e2}, readUpTo(k, 9, simple{}))
	require.Nil(k, k.stored(ls[1].ID()).Held, "it was not asked for")
	commit(k, a)
	abort(k, b)
	require.Empty(k, held(k, simple{}))
	require.Equal(k, []simple{e1, e2}, drain(k, simple{}))
}

func heldListed(k *kit) {
	const n = 600 // several pages of an iteration
	var all []simple
	for i := range n {
		all = append(all, simple{"job", i + 1})
	}
	writeAll(k, all...)
	write(k, every{Int: 1})
	t := begin(k)
	for taken := 0; taken < n-100; {
		got, err := space.TakeAll(k.ctx, k.sp, simple{}, n-100-taken, space.In(t))
		k.ok(err)
		taken += len(got)
	}
	take(k, every{}, space.In(t))
	require.Equal(k, n-100, count(k, simple{}, space.Held()))
	require.Equal(k, 1, count(k, simple{ID: 7}, space.Held()))
	require.Equal(k, n-99, count(k, simple{}, space.Or(every{}), space.Held()))
	require.Equal(k, 100, count(k, simple{}))
	var got []simple
	for v, err := range space.Contents(k.ctx, k.sp, simple{}, space.Held()) {
		k.ok(err)
		got = append(got, v)
	}
	require.Equal(k, all[:n-100], got)
	q := k.match()
	q.Held, q.Max = true, n
	found := 0
	for e, err := range k.sp.Contents(k.ctx, q) {
		k.ok(err)
		require.Equal(k, t.ID(), e.Held.Txn)
		found++
	}
	require.Equal(k, n-99, found, "of all kinds")
	abort(k, t)
	require.Zero(k, count(k, simple{}, space.Held()))
}

func heldNothing(k *kit) {
	writeAll(k, e1, e2, e3)
	write(k, simple{"delayed", 1}, space.Delay(long))
	t := begin(k)
	read(k, e1, space.In(t))
	write(k, simple{"own", 1}, space.In(t))
	_, err := space.Update(k.ctx, k.sp, e2, func(v *simple) error { v.Name = "changed"; return nil }, space.In(t))
	k.ok(err)
	require.Empty(k, held(k, simple{}), "it waits for none")
	require.Empty(k, held(k, every{}), "of an unknown kind")
	require.Zero(k, count(k, simple{}, space.Held()))
	take(k, simple{"changed", 2}, space.In(t))
	take(k, simple{"own", 1}, space.In(t))
	require.Equal(k, []simple{e2}, decode(k, held(k, simple{})),
		"as it was: what t has done is not yet true, and what it wrote never was")
	take(k, e3)
	require.Len(k, held(k, simple{}), 1, "what is taken under no transaction is gone")
}

func heldRefused(k *kit) {
	write(k, e1)
	t := begin(k)
	take(k, e1, space.In(t))
	for name, set := range map[string]func(*space.Query){
		"a transaction": func(q *space.Query) { q.Txn = t.ID() },
		"a claim":       func(q *space.Query) { q.Txn, q.Claim = t.ID(), true },
		"a wait":        func(q *space.Query) { q.NoWait, q.Wait = false, long },
	} {
		q := k.match(e1)
		q.Held = true
		set(&q)
		for _, c := range queryCalls {
			_, err := c.call(k, q)
			require.ErrorIs(k, err, space.ErrInvalidArgument, "%s with %s", c.name, name)
		}
	}
	_, err := prepare(k, e1, space.Held()).Take(k.ctx)
	k.fails(space.ErrInvalidArgument, err)
	v, err := prepare(k, e1, space.Held()).Read(k.ctx)
	k.ok(err)
	require.Equal(k, e1, v)
}
