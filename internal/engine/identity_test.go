package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/txn"
)

// Two partitions of a space never issue the same identity, and the identity of every entry, transaction and
// registration names its partition, also after a restart from the log and from an image.
func TestIdentities_CarryThePartition(t *testing.T) {
	t.Parallel()
	cfg := Config{Partition: 3}
	e := New(cfg, 0)
	for _, s := range schemas {
		require.NoError(t, e.Register(1, s).Err)
	}
	r := e.Write(1, txn.ID{}, call.Request{}, []call.Draft{aStone(1)})
	require.NoError(t, r.Err)
	entry := r.Grants[0].ID
	require.Equal(t, txn.IDBase(3)+1, entry)
	number := e.Begin(1, call.Forever, call.Request{}, "").Grants[0].ID
	require.EqualValues(t, 3, txn.PartitionOf(number))
	require.NoError(t, e.Commit(1, txn.ID{Number: number}, call.Request{}, []call.Draft{aStone(2)}).Err)
	require.Equal(t, call.Committed, e.TxnFate(1, number).Fate)

	replica := New(cfg, 0)
	require.NoError(t, replica.Apply(e.Log))
	require.Equal(t, e.Hash(), replica.Hash())
	require.Equal(t, call.Committed, replica.TxnFate(1, number).Fate)
	require.EqualValues(t, 3,
		txn.PartitionOf(replica.Write(1, txn.ID{}, call.Request{}, []call.Draft{aStone(3)}).Grants[0].ID))
}

// A log that has lost something reserves identities without a partition.
func TestIdentities_ReservedByTheLogAreOfThePartition(t *testing.T) {
	t.Parallel()
	e := New(Config{Partition: 3}, 0)
	require.NoError(t, e.Apply(record.AppendLost(record.AppendID(nil, record.Reserve, 1<<40))))
	next := e.Begin(1, call.Forever, call.Request{}, "").Grants[0].ID
	require.Greater(t, next, txn.IDBase(3)+1<<40)
	require.EqualValues(t, 3, txn.PartitionOf(next))
}
