package spacetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

func ifExistsCases() cases {
	return cases{
		{"IfExists gets what an abort makes free", ifExistsAborted},                          // semantics 4, rule a
		{"IfExists gets what a commit makes visible", ifExistsCommitted},                     // semantics 4, rule a
		{"IfExists gets what is written while it waits for a lock", ifExistsWritten},         // semantics 4, rule a
		{"IfExists ends as soon as every lock has ended with the entry gone", ifExistsGone},  // semantics 4, rule b
		{"IfExists waits for the last of several locks", ifExistsSeveral},                    // semantics 4, rule b
		{"IfExists waits for entries that are written under locks meanwhile", ifExistsJoins}, // semantics 4
		{"IfExists ends at the end of its wait, whatever is locked", ifExistsExpires},        // semantics 4, rule c
		{"IfExists does not wait for what its own transaction took", ifExistsOwn},            // semantics 4
		{"IfExists ends when its own transaction takes the last match", ifExistsTaken},       // semantics 4, rule b
		{"IfExists does not wait for locks on what it does not match", ifExistsOthers},       // semantics 4
	}
}

// ifExists are the verbs that do not wait for entries that are not there.
var ifExists = []verb{verbs[1], verbs[3]}

// startLocked starts an IfExists call for e1 that waits, for another party than the holder of the lock.
func startLocked(k *kit, v verb) *pending[simple] {
	k.Helper()
	p := startFind(k, v, e1, space.Wait(long))
	k.needParked(1)
	return p
}

func ifExistsAborted(k *kit) {
	for _, v := range ifExists {
		write(k, e1)
		t := begin(k)
		take(k, e1, space.In(t))
		p := startLocked(k, v)
		abort(k, t)
		require.Equal(k, e1, p.result(k))
		drain(k, simple{})
	}
}

func ifExistsCommitted(k *kit) {
	for _, v := range ifExists {
		t := begin(k)
		write(k, e1, space.In(t))
		p := startLocked(k, v)
		commit(k, t)
		require.Equal(k, e1, p.result(k))
		drain(k, simple{})
	}
}

func ifExistsWritten(k *kit) {
	for _, v := range ifExists {
		write(k, e1)
		t := begin(k)
		take(k, e1, space.In(t))
		p := startLocked(k, v)
		write(k, e2)
		k.parked(1)
		write(k, e1)
		require.Equal(k, e1, p.result(k))
		commit(k, t)
		drain(k, simple{})
	}
}

func ifExistsGone(k *kit) {
	for _, v := range ifExists {
		for name, c := range map[string]struct {
			there bool // before the transaction
			lock  func(t *space.Txn)
			end   func(t *space.Txn, l *space.Lease)
		}{
			"taken and committed": {
				true,
				func(t *space.Txn) { take(k, e1, space.In(t)) }, func(t *space.Txn, _ *space.Lease) { commit(k, t) },
			},
			"written and aborted": {
				false,
				func(t *space.Txn) { write(k, e1, space.In(t)) }, func(t *space.Txn, _ *space.Lease) { abort(k, t) },
			},
			"written and taken again": {
				false,
				func(t *space.Txn) { write(k, e1, space.In(t)) }, func(t *space.Txn, _ *space.Lease) {
					take(k, e1, space.In(t))
				},
			},
			"cancelled": {
				true,
				func(t *space.Txn) { take(k, e1, space.In(t)) }, func(_ *space.Txn, l *space.Lease) { k.ok(l.Cancel(k.ctx)) },
			},
			"expired": {true, func(t *space.Txn) { take(k, e1, space.In(t)) }, func(_ *space.Txn, l *space.Lease) {
				_, err := l.Renew(k.ctx, brief)
				k.ok(err)
			}},
			"rolled back": {
				false,
				func(t *space.Txn) { write(k, e1, space.In(t)) }, func(t *space.Txn, _ *space.Lease) { k.ok(t.Rollback(k.ctx)) },
			},
			"lease ending": {
				false,
				func(t *space.Txn) { write(k, e1, space.In(t)) }, func(t *space.Txn, _ *space.Lease) { lapse(k, t) },
			},
		} {
			var l *space.Lease
			if c.there {
				l = write(k, e1)
			}
			t := begin(k)
			c.lock(t)
			p := startLocked(k, v)
			c.end(t, l)
			_, err := p.wait()
			require.ErrorIs(k, err, space.ErrNoMatch, "%s, %s", v.name, name)
			_ = t.Abort(k.ctx)
			absent(k, e1)
		}
	}
}

func ifExistsSeveral(k *kit) {
	for _, v := range ifExists {
		writeAll(k, e1, e1)
		a, b, c := begin(k), begin(k), begin(k)
		take(k, e1, space.In(a))
		take(k, e1, space.In(b))
		write(k, e1, space.In(c))
		p := startLocked(k, v)
		commit(k, a)
		k.parked(1)
		abort(k, c)
		k.parked(1)
		commit(k, b)
		_, err := p.wait()
		k.fails(space.ErrNoMatch, err)
	}
}

func ifExistsJoins(k *kit) {
	for _, v := range ifExists {
		write(k, e1)
		a, b := begin(k), begin(k)
		take(k, e1, space.In(a))
		p := startLocked(k, v)
		write(k, e1, space.In(b))
		commit(k, a)
		k.parked(1) // it waits for b now
		commit(k, b)
		require.Equal(k, e1, p.result(k))
		drain(k, simple{})
	}
}

func ifExistsExpires(k *kit) {
	write(k, e1)
	a, b := begin(k), begin(k)
	take(k, e1, space.In(a))
	for _, v := range ifExists {
		for _, opts := range [][]space.TakeOption{nil, {space.In(b)}} {
			began := time.Now()
			_, err := find[simple](v)(k.ctx, k.sp, simple{Name: "A"}, append(opts, space.Wait(brief))...)
			k.fails(space.ErrNoMatch, err)
			require.GreaterOrEqual(k, time.Since(began), brief)
		}
	}
}

func ifExistsOwn(k *kit) {
	write(k, e1)
	t := begin(k)
	take(k, e1, space.In(t))
	for _, v := range ifExists {
		_, err := find[simple](v)(k.ctx, k.sp, e1, space.In(t))
		k.fails(space.ErrNoMatch, err)
		_, err = find[simple](v)(k.ctx, k.sp, e1, space.In(t), space.Wait(long))
		k.fails(space.ErrNoMatch, err)
	}
	write(k, e1) // it did not wait for that
	require.Equal(k, e1, take(k, e1, space.In(t)))
	commit(k, t)
	require.Zero(k, k.total())
}

func ifExistsTaken(k *kit) {
	write(k, e1)
	a, b := begin(k), begin(k)
	read(k, e1, space.In(a))
	read(k, e1, space.In(b))
	first := startFind(k, verbs[3], e1, space.In(a), space.Wait(long))
	k.needParked(1)
	second := startFind(k, verbs[3], e1, space.In(a), space.Wait(long))
	k.needParked(2)
	commit(k, b)
	require.Equal(k, e1, first.result(k))
	_, err := second.wait()
	k.fails(space.ErrNoMatch, err)
	commit(k, a)
}

func ifExistsOthers(k *kit) {
	writeAll(k, e1, e2)
	write(k, aVan)
	t := begin(k)
	take(k, e2, space.In(t))
	take(k, vehicle{}, space.In(t))
	write(k, e3, space.In(t))
	for _, v := range ifExists {
		for _, template := range []simple{{Name: "Z"}, {Name: "A", ID: 9}} {
			_, err := find[simple](v)(k.ctx, k.sp, template, space.Wait(long))
			k.fails(space.ErrNoMatch, err)
		}
		_, err := find[bike](v)(k.ctx, k.sp, bike{}, space.Wait(long))
		k.fails(space.ErrNoMatch, err)
	}
	require.Equal(k, e1, take(k, simple{}))
}
