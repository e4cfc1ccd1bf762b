package server_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/internal/wire"
	"github.com/gospaces/gospaces/template"
	"github.com/gospaces/gospaces/txn"
)

// third is a partition of the space under test, beside its first.
var third = txn.Address{Space: "space", Partition: 3}

// rigOfTwo returns a rig whose space has two partitions.
func rigOfTwo(t testing.TB) *rig {
	p := partition.New(partition.Config{Address: third})
	require.NoError(t, p.Start(context.Background(), nil))
	t.Cleanup(func() { p.Close() })
	r := newRig(t, server.Config{}, partition.Config{Address: txn.Address{Space: "space"}})
	r.parts[third] = partition.Alone(p)
	return r
}

// openAt opens a partition under a handle, and returns the number of the client's session with it.
func (p *peer) openAt(callID uint64, handle byte, at txn.Address, before uint64) (session uint64) {
	d := wire.NewDecoder(p.call(wire.Open, callID, append(wire.AppendAddress([]byte{handle}, at), uvarints(before, 0)...)))
	o := d.Opened()
	require.NoError(p.t, d.Err())
	require.False(p.t, o.Lost)
	return o.Session
}

// at makes the body of a call that of one under another handle.
func at(handle byte, body []byte) []byte {
	body = slices.Clone(body)
	body[0] = handle
	return body
}

// A client has a session with each partition that it opens: what one of them has executed another knows nothing of.
func TestOpen_NumbersOfCallsArePerPartition(t *testing.T) {
	t.Parallel()
	r := rigOfTwo(t)
	defer r.close()
	p := r.connectAs(client)
	first := p.openAt(1, 0, txn.Address{Space: "space"}, 0)
	other := p.openAt(2, 1, third, 0)
	require.Equal(t, uint16(3), txn.PartitionOf(other), "a session's number tells its partition")
	require.Zero(t, txn.PartitionOf(first))
	schema := template.AppendSchema([]byte{0}, &template.Schema{
		Kind: "k", Fields: []template.Field{{Name: "f", Class: template.String}},
	})
	p.call(wire.Register, 3, schema)
	p.call(wire.Register, 4, at(1, schema))
	here := slices.Clone(p.call(wire.Write, 5, writeBody("here")))
	there := slices.Clone(p.call(wire.Write, 6, at(1, writeBody("there"))))
	require.Equal(t, uint16(3), txn.PartitionOf(answered(t, wire.Write, there).Grants[0].ID))

	q := r.connectAs(client) // the session is another one: calls are repeated
	require.Equal(t, first, q.openAt(11, 0, txn.Address{Space: "space"}, first))
	require.Equal(t, other, q.openAt(12, 1, third, other))
	require.Equal(t, here, q.call(wire.Repeat, 5, repeatBody(5, wire.Write, false, writeBody("here"))))
	require.Equal(t, there, q.call(wire.Repeat, 6, repeatBody(6, wire.Write, false, at(1, writeBody("there")))))
	again := answered(t, wire.Write, q.call(wire.Repeat, 5, repeatBody(5, wire.Write, false, at(1, writeBody("here")))))
	require.Equal(t, uint16(3), txn.PartitionOf(again.Grants[0].ID), "the partition had not executed it")

	outcome := append(uvarints(other), wire.AppendTxn(nil, txn.ID{Number: 6})...)
	q.send(wire.Outcome, 20, append([]byte{0}, outcome...))
	require.ErrorContains(t, q.failure(20), "the call was made in space#3: ask there")
	told := answered(t, wire.Outcome, q.call(wire.Outcome, 21, append([]byte{1}, outcome...)))
	require.Equal(t, call.Committed, told.Fate)
	require.Len(t, told.Grants, 1)
}

func TestOpen_RefusesPartitionsThatDoNotExist(t *testing.T) {
	t.Parallel()
	r := rigOfTwo(t)
	defer r.close()
	p := r.join()
	open := func(at txn.Address) []byte { return append(wire.AppendAddress([]byte{1}, at), 0, 0) }
	p.send(wire.Open, 2, open(txn.Address{Space: "space", Partition: 4}))
	require.ErrorIs(t, p.failure(2), call.ErrInvalidArgument)
	p.call(wire.Open, 3, open(third))
	p.send(wire.Open, 4, open(txn.Address{Space: "space"}))
	require.ErrorContains(t, p.failure(4), "another partition is open as 1")
}
