package server_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/txn"
)

var spaceAddress = txn.Address{Space: "space"}

// Calls that wait are answered when their handle is reset, also if the partition goes on.
func TestReset_EndsWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t, server.Config{}, partition.Config{})
	defer r.close()
	p := r.join()
	p.register()
	p.send(wire.Find, 3, findBody(true, true))
	p.call(wire.Echo, 4, nil)
	r.server.Replaced(r.parts[spaceAddress])
	require.Equal(t, wire.Reset, p.next().Type)
	require.ErrorIs(t, p.failure(3), wire.ErrInterrupted)
	require.Zero(t, r.partition.Stats().Waiting)

	p.call(wire.Open, 5, openAfter(0, "space", 1))
	p.call(wire.Write, 6, writeBody("x"))
	require.Equal(t, "x", entry(t, p.call(wire.Find, 7, findBody(true, true))))
}

// overtaken is a host whose handles are reset, and forgotten by it, while a find is on its way to it.
type overtaken struct {
	server.Host
	reset func()
	once  sync.Once
	gone  chan struct{} // closed when the first caller has been forgotten
}

func (o *overtaken) Do(c call.Caller, callID uint64, a *call.Ask) call.Rest {
	if a.Op == call.OpFind && o.reset != nil {
		o.reset()
		<-o.gone
	}
	return o.Host.Do(c, callID, a)
}

func (o *overtaken) Gone(c call.Caller) {
	o.Host.Gone(c)
	o.once.Do(func() { close(o.gone) })
}

// A call that comes to wait when its handle was reset already is answered.
func TestReset_EndsWaitsThatBeginLater(t *testing.T) {
	t.Parallel()
	r := newRig(t, server.Config{}, partition.Config{})
	defer r.close()
	o := &overtaken{Host: r.parts[spaceAddress], gone: make(chan struct{})}
	r.parts[spaceAddress] = o
	p := r.join()
	p.register()
	o.reset = func() { r.server.Replaced(o) }
	p.post(wire.Find, 3, findBody(true, true))
	require.Equal(t, wire.Reset, p.next().Type)
	require.ErrorIs(t, p.failure(3), wire.ErrInterrupted)
	require.Zero(t, r.partition.Stats().Waiting)
}

// Outcomes that are held back when their handle is reset, or come later, are told by the next opening: the client has
// forgotten the kinds of this one.
func TestReset_LeavesOutcomesInDoubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := make(gate, 3)
		r := newRig(t, server.Config{}, partition.Config{Log: log})
		defer func() { close(log); r.close() }()
		p, session, _ := r.joinAs(client, 0)
		log <- nil
		p.register()
		log <- nil
		p.call(wire.Write, 3, writeBody("x"))
		p.send(wire.Find, 4, findBody(true, false))
		p.call(wire.Echo, 5, nil)
		r.server.Replaced(r.parts[spaceAddress])
		require.Equal(t, wire.Reset, p.next().Type)
		log <- nil
		require.ErrorIs(t, p.failure(4), wire.ErrInDoubt)

		p.call(wire.Open, 6, openAgainAs(session, 1))
		p.send(wire.Repeat, 4, repeatBody(4, wire.Find, false, findBody(true, false)))
		require.Equal(t, wire.Kind, p.next().Type, "the new opening tells its kinds")
		require.Equal(t, "x", entry(t, p.answer(4).Body))
	})
}

// An Open that the client has sent before it knew of a Reset does not open the space: calls that it sent meanwhile
// would meet other kinds.
func TestOpen_IsNotAnsweredAcrossAReset(t *testing.T) {
	t.Parallel()
	r := newRig(t, server.Config{}, partition.Config{})
	defer r.close()
	p := r.join()
	p.register()
	p.call(wire.Open, 3, openBody(0, "space"))
	r.server.Replaced(r.parts[spaceAddress])
	require.Equal(t, wire.Reset, p.next().Type)
	p.send(wire.Open, 4, openBody(0, "space"))
	require.ErrorIs(t, p.failure(4), wire.ErrInterrupted)
	p.send(wire.Write, 5, writeBody("x"))
	require.ErrorIs(t, p.failure(5), wire.ErrInterrupted)
	p.call(wire.Open, 6, openAfter(0, "space", 1))
	p.send(wire.Open, 7, openAfter(0, "space", 2))
	require.ErrorIs(t, p.failure(7), wire.ErrInterrupted)
	p.call(wire.Write, 8, writeBody("x"))
}
