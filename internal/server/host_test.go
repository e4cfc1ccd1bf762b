package server_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/txn"
)

// moving is a host that another node serves from some moment on.
type moving struct {
	server.Host
	to atomic.Pointer[call.ElsewhereError]
}

func (m *moving) Do(c call.Caller, callID uint64, a *call.Ask) call.Rest {
	if to := m.to.Load(); to != nil {
		c.Reply(callID, &call.Result{Err: to}, 0, true)
		return nil
	}
	return m.Host.Do(c, callID, a)
}

// A partition that has moved says so for its handle, which is to be opened again; other handles of the session go on.
func TestHost_ThatHasMovedIsOpenedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, server.Config{}, partition.Config{})
	defer r.close()
	at := txn.Address{Space: "space"}
	m := &moving{Host: r.parts[at]}
	r.parts[at] = m
	p := r.join()
	p.register()
	p.call(wire.Open, 3, openBody(1, "memory"))
	p.call(wire.Write, 4, writeBody("x"))

	m.to.Store(&call.ElsewhereError{Node: "b:7420", Epoch: call.Epoch{Claim: 7}})
	p.send(wire.Write, 5, writeBody("y"))
	err := p.failure(5)
	require.ErrorIs(t, err, call.ErrUnavailable)
	told, ok := errors.AsType[*call.ElsewhereError](err)
	require.True(t, ok)
	require.Equal(t, call.ElsewhereError{Node: "b:7420", Epoch: call.Epoch{Claim: 7}}, *told)
	reset := p.next()
	require.Equal(t, wire.Reset, reset.Type)
	require.Zero(t, reset.ID)
	p.send(wire.Write, 6, writeBody("y"))
	require.ErrorIs(t, p.failure(6), wire.ErrInterrupted, "it is to be opened again")
	p.call(wire.Kinds, 7, []byte{1})

	m.to.Store(nil)
	p.call(wire.Open, 8, openAfter(0, "space", 1))
	p.call(wire.Write, 9, writeBody("y"))
	require.Equal(t, "x", entry(t, p.call(wire.Find, 10, findBody(true, false))))
	require.Equal(t, "y", entry(t, p.call(wire.Find, 11, findBody(true, false))))
}

// What serves an address can be replaced: the clients of the old host open their handles again, and its waits end.
func TestServer_ReplacedHostsAreOpenedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, server.Config{}, partition.Config{})
	defer r.close()
	at := txn.Address{Space: "space"}
	p := r.join()
	p.register()
	p.call(wire.Open, 3, openBody(1, "memory"))
	old := r.parts[at]
	r.parts[at] = &moving{Host: old}
	r.server.Replaced(old)
	require.Equal(t, wire.Reset, p.next().Type)
	p.send(wire.Write, 4, writeBody("x"))
	require.ErrorIs(t, p.failure(4), wire.ErrInterrupted)
	p.call(wire.Kinds, 5, []byte{1})
	p.call(wire.Open, 6, openAfter(0, "space", 1))
	p.call(wire.Write, 7, writeBody("x"))
}
