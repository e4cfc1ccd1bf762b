package spacetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func lockCases() cases {
	cs := cases{
		{"locks are seen by counts and contents", lockCounts},
		{"a lock on one entry leaves the others alone", lockOne},
		{"locks of bulk calls are those of each entry", lockBulk},
		{"contents under a transaction are read-locked", lockContents}, // semantics 8.3
		{"contents that were not yielded are not locked", lockYielded}, // semantics 8.3
		{"a read that was refused or cancelled locks nothing", lockNothing},
		{"reading twice is one lock", lockTwice},
		{"an entry is locked for every template that matches it", lockTemplates}, // S-05
	}
	for _, s := range lockStates {
		for _, c := range s.cells {
			cs = append(cs,
				cases{{fmt.Sprintf("%s, %s %s: %s", s.name, c.who, c.verb(), c.want), func(k *kit) { c.run(k, s) }}}...)
		}
	}
	for _, e := range lockEnds {
		for _, s := range []lockSort{readLock, writeLock, takeLock} {
			cs = append(cs, cases{{e.name + " of a transaction that has " + s.name, func(k *kit) { e.run(k, s) }}}...)
		}
	}
	return cs
}

// A cell of the table of locks in semantics 5: who reads or takes an entry in some state, and what comes of it.
type lockCell struct {
	who  party
	take bool
	want lockOutcome
}

// party says under which transaction a call is made.
type party string

const (
	holder  party = "its holder"
	another party = "another transaction"
	outside party = "no transaction"
)

// lockOutcome says what comes of a call about a single entry.
type lockOutcome string

const (
	found      lockOutcome = "found"
	lockedAway lockOutcome = "not found before the lock ends"
	none       lockOutcome = "none, at once"
)

// lockState is a state of an entry, and how it gets there: A is the holder, B holds too or is another.
type lockState struct {
	name  string
	enter func(k *kit, a, b *space.Txn)
	cells []lockCell
}

// row makes the cells of one row of the table, in its order.
func row(holderReads, holderTakes, otherReads, otherTakes lockOutcome) []lockCell {
	return []lockCell{
		{holder, false, holderReads},
		{holder, true, holderTakes},
		{another, false, otherReads},
		{another, true, otherTakes},
		{outside, false, otherReads},
		{outside, true, otherTakes},
	}
}

var lockStates = []lockState{
	{"free", func(k *kit, _, _ *space.Txn) { write(k, e1) }, row(found, found, found, found)},
	{"read-locked by one", func(k *kit, a, _ *space.Txn) {
		write(k, e1)
		read(k, e1, space.In(a))
	}, row(found, found, found, lockedAway)},
	{"read-locked by two", func(k *kit, a, b *space.Txn) {
		write(k, e1)
		read(k, e1, space.In(a))
		read(k, e1, space.In(b))
	}, row(found, lockedAway, found, lockedAway)},
	{
		"written, uncommitted",
		func(k *kit, a, _ *space.Txn) { write(k, e1, space.In(a)) }, row(found, found, lockedAway, lockedAway),
	},
	{"take-locked", func(k *kit, a, _ *space.Txn) {
		write(k, e1)
		take(k, e1, space.In(a))
	}, row(none, none, lockedAway, lockedAway)},
	{"read and then taken", func(k *kit, a, _ *space.Txn) {
		write(k, e1)
		c := begin(k)
		read(k, e1, space.In(a))
		read(k, e1, space.In(c))
		abort(k, c)
		take(k, e1, space.In(a))
	}, row(none, none, lockedAway, lockedAway)},
	{"changed, uncommitted", func(k *kit, a, _ *space.Txn) {
		id := write(k, simple{"A", 9}).ID()
		_, err := space.Replace(k.ctx, k.sp, id, 0, e1, space.In(a))
		k.ok(err)
	}, row(found, found, lockedAway, lockedAway)},
}

func (c lockCell) verb() string {
	if c.take {
		return "takes"
	}
	return "reads"
}

// run checks a cell by all calls that read, or take.
func (c lockCell) run(k *kit, s lockState) {
	calls := verbs[:2]
	if c.take {
		calls = verbs[2:]
	}
	for _, v := range calls {
		a, b := begin(k), begin(k)
		s.enter(k, a, b)
		c.check(k, v, c.options(a, b))
		_ = a.Abort(k.ctx)
		_ = b.Abort(k.ctx)
		drain(k, simple{})
	}
}

// options returns those of a call by the cell's party.
func (c lockCell) options(a, b *space.Txn) []space.TakeOption {
	switch c.who {
	case holder:
		return []space.TakeOption{space.In(a)}
	case another:
		return []space.TakeOption{space.In(b)}
	}
	return nil
}

// check makes the call with every wait that its outcome allows.
func (c lockCell) check(k *kit, v verb, opts []space.TakeOption) {
	k.Helper()
	try := func(o ...space.TakeOption) error {
		_, err := find[simple](v)(k.ctx, k.sp, simple{Name: "A", ID: 1}, append(slices.Clone(opts), o...)...)
		return err
	}
	if c.want == found {
		k.ok(try(space.NoWait()))
		return
	}
	k.fails(space.ErrNoMatch, try(space.NoWait()))
	if c.want == none && v.ifExists {
		k.fails(space.ErrNoMatch, try())
		k.fails(space.ErrNoMatch, try(space.Wait(long)))
		return
	}
	began := time.Now()
	k.fails(space.ErrNoMatch, try(space.Wait(brief)))
	require.GreaterOrEqual(k, time.Since(began), brief)
}

// lockSort is a way to lock an entry.
type lockSort struct {
	name     string
	fresh    bool // the entry is written under the transaction; otherwise it is there before
	readable bool // for others, meanwhile
	enter    func(k *kit, t *space.Txn)
}

var (
	readLock  = lockSort{"read", false, true, func(k *kit, t *space.Txn) { read(k, e1, space.In(t)) }}
	writeLock = lockSort{"written", true, false, func(k *kit, t *space.Txn) { write(k, e1, space.In(t)) }}
	takeLock  = lockSort{"taken", false, false, func(k *kit, t *space.Txn) { take(k, e1, space.In(t)) }}
)

// lockEnd is a way to end a transaction, with what becomes of entries that it has written and taken.
type lockEnd struct {
	name          string
	end           func(k *kit, t *space.Txn)
	written, back bool
}

// lockEnds make, with the sorts of locks, the table of what commit and abort do in semantics 5.
var lockEnds = []lockEnd{
	{"a commit", commit, true, false},
	{"an abort", abort, false, true},
	{"the end of the lease", lapse, false, true},
	{"a cancelled lease", cancelTxn, false, true},
}

func cancelTxn(k *kit, t *space.Txn) {
	k.Helper()
	k.ok(t.Lease().Cancel(k.ctx))
}

// lapse lets the lease of a transaction end.
func lapse(k *kit, t *space.Txn) {
	k.Helper()
	_, err := t.Lease().Renew(k.ctx, brief)
	k.ok(err)
	k.gone(t)
}

// gone returns once a transaction has ended that no call ends.
func (k *kit) gone(t *space.Txn) {
	k.Helper()
	for {
		if _, err := space.Count(k.ctx, k.sp, simple{}, space.In(t)); err != nil {
			k.fails(space.ErrTxnEnded, err)
			return
		}
		time.Sleep(time.Millisecond) // the next look
	}
}

// run locks an entry, has others wait for it, and ends the transaction: the entry is there or not, those who wait get
// it, and there is an event only if it was written.
func (e lockEnd) run(k *kit, s lockSort) {
	there := e.back || s.readable
	if s.fresh {
		there = e.written
	} else {
		write(k, e1)
	}
	reg := notify(k, simple{})
	t := begin(k)
	s.enter(k, t)
	reader, taker := startFind(k, verbs[0], e1), startFind(k, verbs[2], e1)
	if s.readable {
		require.Equal(k, e1, reader.result(k))
		k.needParked(1)
	} else {
		k.needParked(2)
	}
	e.end(k, t)
	if !there {
		absent(k, e1)
		write(k, e1) // for them
	}
	require.Equal(k, e1, reader.result(k))
	require.Equal(k, e1, taker.result(k))
	absent(k, e1)
	write(k, mark)
	require.Len(k, untilMark(k, reg), btoi(s.fresh && e.written)+btoi(!there))
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func lockCounts(k *kit) {
	population(k) // e1, e2, e3, twice
	t := begin(k)
	take(k, e1, space.In(t))
	read(k, e2, space.In(t))
	write(k, e3, space.In(t))
	require.Equal(k, 5, k.total())
	require.Equal(k, 6, count(k, simple{}, space.In(t)))
	require.Equal(k, []simple{e2, e3, e1, e2, e3}, collect(k, simple{}))
	require.ElementsMatch(k, []simple{e2, e3, e1, e2, e3, e3}, collect(k, simple{}, space.In(t)))
	require.Equal(k, 2, count(k, simple{Name: "A", ID: 2}))
	require.Equal(k, 3, count(k, simple{Name: "A", ID: 2}, space.In(t)))
	kinds, err := k.sp.Kinds(k.ctx)
	k.ok(err)
	require.Equal(k, 5, kinds[0].Count)
	commit(k, t)
	require.Equal(k, 6, k.total())
}

func lockOne(k *kit) {
	population(k)
	t := begin(k)
	take(k, e1, space.In(t))
	require.Equal(k, e1, take(k, e1)) // the other one
	absent(k, e1)
	require.Equal(k, []simple{e2, e3, e2, e3}, drain(k, simple{}))
	abort(k, t)
	require.Equal(k, e1, take(k, simple{}))
}

func lockBulk(k *kit) {
	population(k)
	a, b := begin(k), begin(k)
	got, err := space.ReadAll(k.ctx, k.sp, simple{Name: "A"}, 3, space.In(a))
	k.ok(err)
	require.Equal(k, []simple{e1, e3, e1}, got)
	got, err = space.TakeAll(k.ctx, k.sp, simple{}, 10, space.In(b))
	k.ok(err)
	require.Equal(k, []simple{e2, e2, e3}, got)
	require.Equal(k, []simple{e1, e3, e1}, readUpTo(k, 10, simple{}))
	_, err = space.TakeAll(k.ctx, k.sp, simple{}, 10, space.NoWait())
	k.fails(space.ErrNoMatch, err)
	abort(k, a)
	abort(k, b)
	require.Equal(k, []simple{e1, e2, e3, e1, e2, e3}, drain(k, simple{}))
}

func lockContents(k *kit) {
	const n = 1000
	vs := make([]simple, n)
	for i := range vs {
		vs[i] = simple{fmt.Sprint(i % 2), i + 1}
	}
	writeAll(k, vs...)
	t := begin(k)
	require.Len(k, collect(k, simple{Name: "1"}, space.In(t)), n/2)
	_, err := space.Take(k.ctx, k.sp, simple{Name: "1"}, space.NoWait())
	k.fails(space.ErrNoMatch, err)
	require.Len(k, readUpTo(k, n, simple{}), n)
	require.Len(k, drain(k, simple{}), n/2)
	commit(k, t)
	require.Len(k, drain(k, simple{}), n/2)
}

func lockYielded(k *kit) {
	writeAll(k, e1, e2, e3, e1, e2, e3)
	reg := notify(k, simple{}, space.On(space.Available))
	t := begin(k)
	var yielded []simple
	for v, err := range space.Contents(k.ctx, k.sp, simple{}, space.In(t)) {
		k.ok(err)
		if yielded = append(yielded, v); len(yielded) == 2 {
			break
		}
	}
	require.Len(k, drain(k, simple{}), 4, "what others may take")
	commit(k, t)
	require.ElementsMatch(k, on(space.Available, yielded...), heard(k, reg))
	require.ElementsMatch(k, yielded, drain(k, simple{}))
}

func lockNothing(k *kit) {
	write(k, e1)
	a, b := begin(k), begin(k)
	for _, v := range verbs {
		_, err := find[simple](v)(k.ctx, k.sp, e2, space.In(a), space.NoWait())
		k.fails(space.ErrNoMatch, err)
		_, err = find[simple](v)(k.ctx, k.sp, e1, space.In(a), space.Wait(-1))
		k.fails(space.ErrInvalidArgument, err)
		p := startFind(k, v, e2, space.In(a))
		p.cancel()
		_, err = p.wait()
		require.Error(k, err)
	}
	require.Equal(k, e1, take(k, e1, space.In(b))) // an exclusive lock
	for _, v := range verbs {
		p := startFind(k, v, e1, space.In(a))
		k.parked(1)
		p.cancel()
		_, err := p.wait()
		require.Error(k, err)
		k.parked(0)
	}
	abort(k, b)
	require.Equal(k, e1, take(k, e1))
}

func lockTwice(k *kit) {
	write(k, e1)
	a, b := begin(k), begin(k)
	for range 3 {
		read(k, e1, space.In(a))
		read(k, simple{}, space.In(a))
	}
	read(k, e1, space.In(b))
	commit(k, a)
	require.Equal(k, e1, take(k, e1, space.In(b)))
	commit(k, b)
	absent(k, e1)
}

func lockTemplates(k *kit) {
	write(k, aVan)
	a := begin(k)
	require.Equal(k, aVan.vehicle, read(k, vehicle{}, space.In(a)))
	calls := map[string]func() error{
		"van": func() error { _, err := space.Take(k.ctx, k.sp, van{}, space.NoWait()); return err },
		"car": func() error { _, err := space.Take(k.ctx, k.sp, car{Doors: 3}, space.NoWait()); return err },
		"where": func() error {
			_, err := space.Take(k.ctx, k.sp, van{}, space.Where("load", space.Gt(1.0)), space.NoWait())
			return err
		},
		"order": func() error {
			_, err := space.Take(k.ctx, k.sp, vehicle{}, space.OrderBy("-plate"), space.NoWait())
			return err
		},
		"or":       func() error { _, err := space.Take(k.ctx, k.sp, van{}, space.Or(bike{}), space.NoWait()); return err },
		"all":      func() error { _, err := k.sp.Take(k.ctx, k.match()); return err },
		"prepared": func() error { _, err := prepare(k, van{}, space.NoWait()).Take(k.ctx); return err },
	}
	for name, call := range calls {
		require.ErrorIs(k, call(), space.ErrNoMatch, name)
	}
	commit(k, a)
	for name, call := range calls {
		require.NoError(k, call(), name)
		write(k, aVan)
	}
}
