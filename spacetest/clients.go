package spacetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/space"
)

// RunClients runs the cases about several clients of one space. open returns an empty space as a function that connects
// a further client to it, which is closed when tb ends.
func RunClients(t *testing.T, open func(tb testing.TB) func() space.Space) {
	for _, c := range clientCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			connect := open(t)
			clients := make([]*kit, 3)
			for i := range clients {
				clients[i] = &kit{T: t, ctx: t.Context(), sp: connect()}
			}
			c.run(clients[0], clients[1], clients[2])
		})
	}
}

type clientCase struct {
	name string
	run  func(a, b, c *kit)
}

func clientCases() []clientCase {
	return []clientCase{
		{"what one writes the others see at once", clientsSee},
		{"a wait of one is ended by a write of another", clientsWait},
		{"waiting takes of all are served in the order in which they arrived", clientsInOrder},
		{"one lease may be renewed and cancelled by all", clientsLease},
		{"events tell of the writes of all", clientsNotify},
		{"a kind that one extends stays usable for the others", clientsGrow},
		{"a kind has one schema for all", clientsConflict},
		{"calls of one during which another changes the classes of an empty kind conflict, or do not", clientsChange},
		{"one finds by an embedded kind what another wrote as an outer one", clientsTypes},
		{"closing one leaves the others and the space alone", clientsClose},
		{"a closed client's waits consume nothing", clientsCloseWaiting},
		{"works of all do each job once", clientsWork},
		{"a random run of all is linearizable", clientsHistory},
		{"a random run of transactions of all is linearizable call by call", clientsTxns},
	}
}

func clientsSee(a, b, c *kit) {
	write(a, e1)
	require.Equal(b, e1, read(b, e1))
	require.Equal(c, e1, take(c, simple{}))
	absent(a, e1)
	absent(b, e1)
	writeAll(c, e1, e2, e3)
	require.Equal(a, []simple{e1, e2, e3}, readUpTo(a, 10, simple{}))
	require.Equal(b, 3, b.total())
	require.Len(b, collect(b, simple{}), 3)
}

func clientsWait(a, b, c *kit) {
	taker, reader := startFind(a, verbs[2], simple{Name: "A"}), startFind(b, verbs[0], simple{ID: 1})
	c.needParked(2)
	write(c, e2)
	write(c, e1)
	require.Equal(a, e1, taker.result(a))
	require.Equal(b, e1, reader.result(b))
	require.Equal(c, []simple{e2}, drain(c, simple{}))
}

func clientsInOrder(a, b, c *kit) {
	var takers []*pending[simple]
	for i := range 9 {
		takers = append(takers, startFind([]*kit{a, b, c}[i%3], verbs[2], simple{Name: "A"}))
		a.needParked(i + 1)
	}
	for i := range takers {
		write(b, simple{"A", i + 1})
	}
	for i, t := range takers {
		require.Equal(a, simple{"A", i + 1}, t.result(a))
	}
}

func clientsLease(a, b, c *kit) {
	l := write(a, e1)
	_, err := b.sp.Renew(b.ctx, long, l.ID())
	b.ok(err)
	c.ok(c.sp.Cancel(c.ctx, l.ID()))
	a.fails(space.ErrLeaseEnded, l.Cancel(a.ctx))
	absent(b, e1)
}

func clientsNotify(a, b, c *kit) {
	reg := notify(a, simple{Name: "A"})
	write(b, e1)
	write(c, e3)
	take(b, e1)
	write(b, e2)
	write(a, e1)
	require.Equal(a, []simple{e1, e3, e1}, next[simple](a, reg, reg.Start(), 3))
}

func clientsGrow(a, b, c *kit) {
	write(a, first{1})
	p := prepare(a, first{2}, space.NoWait())
	write(b, third{"grown", 1.5, 2})
	write(c, second{3, "other"})
	write(a, first{4})
	require.Equal(a, []first{{1}, {2}, {3}, {4}}, readUpTo(a, 10, first{}))
	require.Equal(b, []third{{A: 1}, {"grown", 1.5, 2}, {B: "other", A: 3}, {A: 4}}, readUpTo(b, 10, third{}))
	got, err := p.Take(a.ctx)
	a.ok(err)
	require.Equal(a, first{2}, got)
	require.Equal(c, 2, count(c, second{}, space.Where("b", space.IsNull())))
}

func clientsConflict(a, b, c *kit) {
	write(a, first{1})
	_, err := space.Write(b.ctx, b.sp, conflicting{"1"})
	b.fails(space.ErrSchemaConflict, err)
	_, err = space.Take(c.ctx, c.sp, conflicting{}, space.NoWait())
	c.fails(space.ErrSchemaConflict, err)
	require.Equal(c, first{1}, take(c, first{}))
}

func clientsChange(a, b, _ *kit) { changeUnderCalls(a, b) }

func clientsTypes(a, b, c *kit) {
	write(a, aVan)
	require.Equal(b, aVan.vehicle, read(b, vehicle{}))
	entries, err := c.sp.Take(c.ctx, c.match())
	c.ok(err)
	require.Equal(c, "van", entries[0].Kind())
	v, err := space.Decode[van](entries[0])
	c.ok(err)
	require.Equal(c, aVan, v)
}

func clientsClose(a, b, c *kit) {
	write(a, e1)
	l := write(a, e2, space.For(long))
	reg := notify(b, simple{})
	waiting := startFind(b, verbs[2], simple{Name: "Z"})
	a.ok(a.sp.Close())
	_, err := l.Renew(a.ctx, long)
	a.fails(space.ErrClosed, err)
	require.Equal(b, []simple{e1, e2}, readUpTo(b, 10, simple{}))
	write(c, simple{"Z", 1})
	require.Equal(b, simple{"Z", 1}, waiting.result(b))
	require.Equal(b, []simple{{"Z", 1}}, next[simple](b, reg, reg.Start(), 1))
}

func clientsCloseWaiting(a, b, c *kit) {
	gone := startFind(a, verbs[2], simple{Name: "A"})
	b.parked(1)
	a.ok(a.sp.Close())
	_, err := gone.wait()
	a.fails(space.ErrClosed, err)
	b.parked(0)
	write(b, e1)
	require.Equal(c, e1, take(c, e1))
}

func clientsHistory(a, b, c *kit) {
	w := workload{clients: 6, calls: 30, keys: 4, colors: 2}
	judge(a, w, w.run(a, []space.Space{a.sp, b.sp, c.sp}))
}

func clientsTxns(a, b, c *kit) {
	w := workload{clients: 6, calls: 8, keys: 3, colors: 2, txns: 50, updates: 7}
	for range 3 {
		judge(a, w, w.run(a, []space.Space{a.sp, b.sp, c.sp}))
	}
}
