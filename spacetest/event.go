package spacetest

import (
	"context"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func eventCases() cases {
	return cases{
		{"each type of event comes when it should", eventTypes},                            // semantics 7.4
		{"what happens at one moment is one event, of the type that says most", eventOnce}, // semantics 7.4
		{"events of all types share one sequence, in order", eventSequence},                // semantics 7.3
		{"the event carries the entry as it was at that moment", eventCarries},             // semantics 7.4
		{"changes are events for who asks for what the entry is now", eventUpdates},        // semantics 7.4
		{"an entry that was never visible is no event of any type", eventNeverVisible},     // semantics 7.1
		{"an expiry is an event, also for a held entry", eventExpiryUnderLock},             // semantics 5.6, 7.4
		{"the last reader makes an entry available", eventReaders},                         // semantics 7.4
		{"what was put off is an event when its time has come", eventPutOff},               // semantics 7.4
		{"a take that waited is an event after the write", eventWaitingTake},               // semantics 7.1
		{"outer kinds are events of every type for the kinds they embed", eventSubs},
		{"an iteration over events asks for types", eventIteration},
		{"what cannot be asked for is refused", eventInvalid},
		{"a registration under a transaction sees what it writes at once", eventOwnWrites},     // semantics 7.2
		{"a registration under a transaction ends with it, after its last event", eventTxnEnd}, // semantics 7.2
		{"a registration under a transaction sees what others do", eventTxnOthers},             // semantics 7.2
		{"a registration under a transaction has a lease of its own", eventTxnLease},           // semantics 7.2
		{"all events come before the end of the registration", eventAllBeforeEnd},              // semantics 7.3
	}
}

// The types of events that can be asked for.
var eventTypesAll = []space.EventType{
	space.Written, space.Taken, space.Expired, space.Cancelled, space.Renewed, space.Updated, space.Visible,
	space.Available,
}

// happening is what an event says.
type happening struct {
	Type  space.EventType
	Value simple
}

// on returns happenings of one type.
func on(t space.EventType, vs ...simple) []happening {
	var hs []happening
	for _, v := range vs {
		hs = append(hs, happening{t, v})
	}
	return hs
}

// heard ends a registration and returns all events that it has had, whose numbers must be dense.
func heard(k *kit, reg space.Registration) []happening {
	k.Helper()
	if err := reg.Lease().Cancel(k.ctx); err != nil {
		k.fails(space.ErrLeaseEnded, err)
	}
	return toTheEnd(k, reg)
}

// toTheEnd returns all events of a registration until it has ended.
func toTheEnd(k *kit, reg space.Registration) []happening {
	k.Helper()
	var hs []happening
	for seq := reg.Start() + 1; ; seq++ {
		e, err := reg.Next(k.ctx)
		if err != nil {
			k.fails(space.ErrLeaseEnded, err)
			return hs
		}
		require.Equal(k, seq, e.Seq)
		hs = append(hs, happening{e.Type, decode(k, []space.Entry{e.Entry})[0]})
	}
}

// listeners are registrations for one type each, and one for all of them.
type listeners struct {
	each map[space.EventType]space.Registration
	all  space.Registration
}

func listen(k *kit, opts ...space.NotifyOption) listeners {
	k.Helper()
	ls := listeners{each: map[space.EventType]space.Registration{}}
	for _, t := range eventTypesAll {
		ls.each[t] = notify(k, simple{}, append(opts, space.On(t))...)
	}
	ls.all = notify(k, simple{}, append(opts, space.On(eventTypesAll...))...)
	return ls
}

// expect ends the registrations and compares what they have had.
func (ls listeners) expect(k *kit, name string, all []happening, each map[space.EventType][]simple) {
	k.Helper()
	require.Equal(k, all, heard(k, ls.all), name)
	for _, t := range eventTypesAll {
		require.Equal(k, on(t, each[t]...), heard(k, ls.each[t]), "%s: those of type %v", name, t)
	}
}

// appears is what registrations for one type hear when entries become visible by being written.
func appears(vs ...simple) map[space.EventType][]simple {
	return map[space.EventType][]simple{space.Written: vs, space.Visible: vs, space.Available: vs}
}

// returns is what they hear when an entry is visible again.
func returns(v simple) map[space.EventType][]simple {
	return map[space.EventType][]simple{space.Visible: {v}, space.Available: {v}}
}

func only(t space.EventType, vs ...simple) map[space.EventType][]simple {
	return map[space.EventType][]simple{t: vs}
}

func eventTypes(k *kit) {
	for _, c := range []struct {
		name string
		run  func(l *space.Lease) // with e1 in the space, under lease l
		all  []happening
		each map[space.EventType][]simple
	}{
		{"write", func(*space.Lease) { write(k, e2) }, on(space.Written, e2), appears(e2)},
		{"bulk write", func(*space.Lease) { writeAll(k, e2, e3) }, on(space.Written, e2, e3), appears(e2, e3)},
		{"commit of a write", func(*space.Lease) {
			t := begin(k)
			write(k, e2, space.In(t))
			commit(k, t)
		}, on(space.Written, e2), appears(e2)},
		{"abort of a write", func(*space.Lease) {
			t := begin(k)
			write(k, e2, space.In(t))
			abort(k, t)
		}, nil, nil},
		{"take", func(*space.Lease) { take(k, e1) }, on(space.Taken, e1), only(space.Taken, e1)},
		{"commit of a take", func(*space.Lease) {
			t := begin(k)
			take(k, e1, space.In(t))
			commit(k, t)
		}, on(space.Taken, e1), only(space.Taken, e1)},
		{"abort of a take", func(*space.Lease) {
			t := begin(k)
			take(k, e1, space.In(t))
			abort(k, t)
		}, on(space.Visible, e1), returns(e1)},
		{"rollback of a take", func(*space.Lease) {
			t := begin(k)
			take(k, e1, space.In(t))
			k.ok(t.Rollback(k.ctx))
		}, on(space.Visible, e1), returns(e1)},
		{"read", func(*space.Lease) { read(k, e1) }, nil, nil},
		{"end of a read lock", func(*space.Lease) {
			t := begin(k)
			read(k, e1, space.In(t))
			commit(k, t)
		}, on(space.Available, e1), only(space.Available, e1)},
		{"abort of a read and a take", func(*space.Lease) {
			t := begin(k)
			read(k, e1, space.In(t))
			take(k, e1, space.In(t))
			abort(k, t)
		}, on(space.Visible, e1), returns(e1)},
		{"write and take under one transaction", func(*space.Lease) {
			t := begin(k)
			write(k, e2, space.In(t))
			take(k, e2, space.In(t))
			commit(k, t)
		}, nil, nil},
		{"cancel", func(l *space.Lease) { k.ok(l.Cancel(k.ctx)) }, on(space.Cancelled, e1), only(space.Cancelled, e1)},
		{"renewal", func(l *space.Lease) {
			_, err := l.Renew(k.ctx, long)
			k.ok(err)
		}, on(space.Renewed, e1), only(space.Renewed, e1)},
		{"expiry", func(l *space.Lease) {
			reg := notify(k, simple{}, space.On(space.Expired))
			_, err := l.Renew(k.ctx, 0)
			k.ok(err)
			_, err = reg.Next(k.ctx) // a little after it became invisible
			k.ok(err)
		}, append(on(space.Renewed, e1), on(space.Expired, e1)...), map[space.EventType][]simple{
			space.Renewed: {e1},
			space.Expired: {e1},
		}},
		{"update", func(l *space.Lease) { replace(k, l.ID(), 0, e2) }, on(space.Updated, e2), only(space.Updated, e2)},
		{"commit of an update", func(l *space.Lease) {
			t := begin(k)
			replace(k, l.ID(), 0, e2, space.In(t))
			commit(k, t)
		}, on(space.Updated, e2), map[space.EventType][]simple{
			space.Updated: {e2}, space.Visible: {e2},
			space.Available: {e2},
		}},
		{"abort of an update", func(l *space.Lease) {
			t := begin(k)
			replace(k, l.ID(), 0, e2, space.In(t))
			abort(k, t)
		}, on(space.Visible, e1), returns(e1)},
	} {
		l := write(k, e1)
		ls := listen(k)
		c.run(l)
		ls.expect(k, c.name, c.all, c.each)
		drain(k, simple{})
	}
}

func eventOnce(k *kit) {
	several := []space.NotifyOption{space.Or(simple{ID: 1}), space.Or(simple{}), space.Or(e1)}
	for _, c := range []struct {
		asked   []space.EventType
		written space.EventType // what a write is
		back    space.EventType // what an aborted take is
	}{
		{[]space.EventType{space.Visible, space.Available}, space.Visible, space.Visible},
		{[]space.EventType{space.Available, space.Written}, space.Written, space.Available},
		{[]space.EventType{space.Visible, space.Written}, space.Written, space.Visible},
		{eventTypesAll, space.Written, space.Visible},
	} {
		reg := notify(k, simple{Name: "A"}, append(several, space.On(c.asked...))...)
		write(k, e1)
		t := begin(k)
		take(k, e1, space.In(t))
		abort(k, t)
		require.Equal(k, append(on(c.written, e1), on(c.back, e1)...), heard(k, reg), "%v", c.asked)
		drain(k, simple{})
	}
}

func eventSequence(k *kit) {
	k.needOnePartition()
	reg := notify(k, simple{}, space.On(eventTypesAll...))
	var want []happening
	for i := 1; i <= 30; i++ {
		v, next := simple{"A", i}, simple{"B", i}
		l := write(k, v)
		_, err := l.Renew(k.ctx, long)
		k.ok(err)
		replace(k, l.ID(), 0, next)
		want = append(want, happening{space.Written, v}, happening{space.Renewed, v}, happening{space.Updated, next})
		switch i % 3 {
		case 0:
			take(k, next)
			want = append(want, happening{space.Taken, next})
		case 1:
			k.ok(l.Cancel(k.ctx))
			want = append(want, happening{space.Cancelled, next})
		}
	}
	require.Equal(k, want, heard(k, reg))
}

func eventCarries(k *kit) {
	reg := notify(k, every{}, space.On(space.Written, space.Updated, space.Taken, space.Visible))
	v := sample()
	l := write(k, v)
	changed := sample()
	changed.String, changed.Pointer = "changed", nil
	_, err := space.Replace(k.ctx, k.sp, l.ID(), 1, changed)
	k.ok(err)
	t := begin(k)
	take(k, every{}, space.In(t))
	k.ok(t.Defer(k.ctx, l.ID(), 0))
	commit(k, t)
	_, err = space.Take(k.ctx, k.sp, every{})
	k.ok(err)
	for i, want := range []struct {
		typ      space.EventType
		value    every
		version  uint32
		attempts uint32
	}{
		{space.Written, v, 1, 0},
		{space.Updated, changed, 2, 0},
		{space.Visible, changed, 2, 1},
		{space.Taken, changed, 2, 1},
	} {
		e, err := reg.Next(k.ctx)
		k.ok(err)
		require.Equal(k, reg.Start()+uint64(i)+1, e.Seq)
		require.Equal(k, want.typ, e.Type)
		require.Equal(k, l.ID(), e.Entry.ID)
		require.Equal(k, want.version, e.Entry.Version)
		require.Equal(k, want.attempts, e.Entry.Attempts)
		got, err := space.Decode[every](e.Entry)
		k.ok(err)
		require.Equal(k, want.value, got)
	}
}

func eventUpdates(k *kit) {
	l := write(k, e1)
	before := notify(k, e1, space.On(eventTypesAll...))
	after := notify(k, e2, space.On(eventTypesAll...))
	replace(k, l.ID(), 0, e2)
	t := begin(k)
	replace(k, l.ID(), 0, e3, space.In(t))
	abort(k, t)
	take(k, e2)
	require.Empty(k, heard(k, before))
	require.Equal(k, slices.Concat(on(space.Updated, e2), on(space.Visible, e2), on(space.Taken, e2)), heard(k, after))
}

func eventNeverVisible(k *kit) {
	ls := listen(k)
	write(k, e1, space.For(0))
	t := begin(k)
	l := write(k, e2, space.In(t))
	_, err := l.Renew(k.ctx, long)
	k.ok(err)
	k.ok(l.Cancel(k.ctx))
	write(k, e3, space.In(t), space.For(0))
	commit(k, t)
	later := write(k, e1, space.Delay(long))
	_, err = later.Renew(k.ctx, long)
	k.ok(err)
	k.ok(later.Cancel(k.ctx))
	ls.expect(k, "never visible", nil, nil)
}

func eventExpiryUnderLock(k *kit) {
	k.patiently(func(d time.Duration) bool {
		ls := listen(k)
		l := write(k, e1, space.For(d))
		t := begin(k)
		_, err := space.Take(k.ctx, k.sp, e1, space.In(t), space.NoWait())
		if err != nil {
			k.fails(space.ErrNoMatch, err)
			return false
		}
		for {
			if _, err := l.Renew(k.ctx, 0); err != nil {
				k.fails(space.ErrLeaseEnded, err)
				break
			}
		}
		commit(k, t)
		e, err := ls.each[space.Expired].Next(k.ctx)
		k.ok(err)
		require.Equal(k, l.ID(), e.Entry.ID)
		all := heard(k, ls.all)
		require.Equal(k, happening{space.Written, e1}, all[0])
		require.Equal(k, happening{space.Expired, e1}, all[len(all)-1])
		require.Empty(k, heard(k, ls.each[space.Taken]))
		require.Len(k, heard(k, ls.each[space.Visible]), 1)
		return true
	})
}

func eventReaders(k *kit) {
	write(k, e1)
	ls := listen(k)
	a, b, c := begin(k), begin(k), begin(k)
	read(k, e1, space.In(a))
	read(k, e1, space.In(b))
	read(k, e1, space.In(c))
	commit(k, a)
	abort(k, b)
	require.Equal(k, e1, read(k, e1))
	early := notify(k, simple{}, space.On(space.Available))
	require.Empty(k, heard(k, early))
	commit(k, c)
	ls.expect(k, "readers", on(space.Available, e1), only(space.Available, e1))
}

func eventPutOff(k *kit) {
	ls := listen(k)
	l := write(k, e1, space.Delay(brief))
	require.Equal(k, e1, readWait(k, e1))
	t := begin(k)
	take(k, e1, space.In(t))
	k.ok(t.Defer(k.ctx, l.ID(), brief))
	commit(k, t)
	require.Equal(k, e1, readWait(k, e1))
	all := append(on(space.Written, e1), on(space.Visible, e1)...)
	twice := []simple{e1, e1}
	ls.expect(k, "put off", all,
		map[space.EventType][]simple{space.Written: {e1}, space.Visible: twice, space.Available: twice})
}

// readWait reads an entry that will be there before long.
func readWait(k *kit, template simple) simple {
	k.Helper()
	v, err := space.Read(k.ctx, k.sp, template)
	k.ok(err)
	return v
}

func eventWaitingTake(k *kit) {
	ls := listen(k)
	taker := startFind(k, verbs[2], e1)
	k.parked(1)
	write(k, e1)
	require.Equal(k, e1, taker.result(k))
	all := append(on(space.Written, e1), on(space.Taken, e1)...)
	each := appears(e1)
	each[space.Taken] = []simple{e1}
	ls.expect(k, "waiting take", all, each)
}

func eventSubs(k *kit) {
	k.needOnePartition()
	reg := notify(k, vehicle{}, space.On(space.Taken, space.Cancelled))
	write(k, aCar)
	l := write(k, aVan)
	take(k, car{})
	k.ok(l.Cancel(k.ctx))
	for _, want := range []space.EventType{space.Taken, space.Cancelled} {
		e, err := reg.Next(k.ctx)
		k.ok(err)
		require.Equal(k, want, e.Type)
	}
}

func eventIteration(k *kit) {
	ctx, cancel := context.WithCancel(k.ctx)
	defer cancel()
	writer := start(k, func(context.Context) (struct{}, error) {
		for ctx.Err() == nil { // the iteration registers at some moment; from then on it sees all
			if _, err := space.Write(k.ctx, k.sp, e1); err != nil {
				return struct{}{}, err
			}
			if _, err := space.Take(k.ctx, k.sp, e1); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	seen := 0
	for e, err := range space.Events(k.ctx, k.sp, simple{}, space.On(space.Taken)) {
		k.ok(err)
		require.Equal(k, space.Taken, e.Type)
		require.Equal(k, e1, e.Value)
		require.EqualValues(k, 1, e.Version)
		if seen++; seen == 5 {
			break
		}
	}
	cancel()
	writer.result(k)
}

func eventInvalid(k *kit) {
	for _, o := range []space.NotifyOption{
		space.On(), space.On(space.Gap), space.On(0), space.On(space.Written, 10),
		space.On(200),
	} {
		_, err := space.Notify(k.ctx, k.sp, simple{}, o)
		k.fails(space.ErrInvalidArgument, err)
	}
	for _, set := range []space.EventSet{1, space.EventTypes(space.Gap), space.EventTypes(space.Written) | 1<<10} {
		_, err := k.sp.Notify(k.ctx, k.match(), set, long)
		k.fails(space.ErrInvalidArgument, err)
	}
}

func eventOwnWrites(k *kit) {
	t, other := begin(k), begin(k)
	own, public := notify(k, simple{Name: "A"}, space.In(t)), notify(k, simple{Name: "A"})
	alien := notify(k, simple{Name: "A"}, space.In(other))
	l := write(k, e1, space.In(t))
	write(k, e2, space.In(t))
	write(k, e3, space.In(t))
	require.Equal(k, []simple{e1, e3}, next[simple](k, own, own.Start(), 2), "before the commit")
	k.ok(l.Cancel(k.ctx))
	commit(k, t)
	require.Empty(k, toTheEnd(k, resumed{own, own.Start() + 2}))
	require.Equal(k, on(space.Written, e3), heard(k, public))
	require.Equal(k, on(space.Written, e3), heard(k, alien), "once it is committed")
}

// resumed is a registration of which events up to a number were seen.
type resumed struct {
	space.Registration
	after uint64
}

func (r resumed) Start() uint64 { return r.after }

func eventTxnEnd(k *kit) {
	for _, end := range []func(*space.Txn){
		func(t *space.Txn) { commit(k, t) },
		func(t *space.Txn) { abort(k, t) },
		func(t *space.Txn) { k.ok(t.Lease().Cancel(k.ctx)) },
		func(t *space.Txn) {
			_, err := t.Lease().Renew(k.ctx, 0)
			k.ok(err)
			for err == nil {
				_, err = space.Count(k.ctx, k.sp, simple{}, space.In(t))
			}
			k.fails(space.ErrTxnEnded, err)
		},
	} {
		t := begin(k)
		reg := notify(k, simple{}, space.In(t), space.On(space.Written, space.Updated))
		waiting := start(k, func(context.Context) ([]happening, error) { return toTheEnd(k, reg), nil })
		l := write(k, e1, space.In(t))
		replace(k, l.ID(), 0, e2, space.In(t))
		end(t)
		require.Equal(k, append(on(space.Written, e1), on(space.Updated, e2)...), waiting.result(k))
		k.fails(space.ErrLeaseEnded, reg.Lease().Cancel(k.ctx))
		_, err := reg.Lease().Renew(k.ctx, long)
		k.fails(space.ErrLeaseEnded, err)
		k.ok(reg.Close())
		_, err = space.Notify(k.ctx, k.sp, simple{}, space.In(t))
		k.fails(space.ErrTxnEnded, err)
		drain(k, simple{})
	}
}

func eventTxnOthers(k *kit) {
	k.needOnePartition()
	l := write(k, e1)
	t := begin(k)
	reg := notify(k, simple{}, space.In(t), space.On(space.Written, space.Taken, space.Renewed, space.Visible))
	write(k, e2)
	other := begin(k)
	take(k, e1, space.In(other))
	write(k, e3, space.In(other))
	abort(k, other)
	_, err := l.Renew(k.ctx, long)
	k.ok(err)
	take(k, e2)
	want := slices.Concat(on(space.Written, e2), on(space.Visible, e1), on(space.Renewed, e1), on(space.Taken, e2))
	require.Equal(k, want, heard(k, reg))
	commit(k, t)
}

func eventTxnLease(k *kit) {
	t := begin(k)
	reg := notify(k, simple{}, space.In(t), space.For(brief))
	_, err := reg.Next(k.ctx)
	k.fails(space.ErrLeaseEnded, err)
	cancelled := notify(k, simple{}, space.In(t))
	write(k, e1, space.In(t))
	require.Equal(k, on(space.Written, e1), heard(k, cancelled))
	closed := notify(k, simple{}, space.In(t))
	k.ok(closed.Close())
	commit(k, t)
	require.Equal(k, []simple{e1}, drain(k, simple{}))
}

func eventAllBeforeEnd(k *kit) {
	k.needOnePartition()
	const n = 5000 // more than a listener that does not look holds by itself
	reg := notify(k, simple{})
	vs := make([]simple, n)
	for i := range vs {
		vs[i] = simple{"A", i + 1}
	}
	for i := 0; i < n; i += n / 5 {
		writeAll(k, vs[i:i+n/5]...)
	}
	require.Equal(k, on(space.Written, vs...), heard(k, reg))
}
