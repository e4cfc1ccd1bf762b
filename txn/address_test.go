package txn_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/txn"
)

func TestAddress_IdentitiesFindTheirPartition(t *testing.T) {
	t.Parallel()
	for _, p := range []uint16{0, 1, 77, txn.MaxPartitions - 1} {
		first := txn.IDBase(p) + 1
		require.Equal(t, p, txn.PartitionOf(first))
		require.Equal(t, p, txn.PartitionOf(first+1<<40))
		require.Equal(t, txn.Address{Space: "jobs", Partition: p}, txn.ID{Space: "jobs", Number: first}.Home())
	}
}

func TestAddress_IsOrderedAndReadable(t *testing.T) {
	t.Parallel()
	jobs, third := txn.Address{Space: "jobs"}, txn.Address{Space: "jobs", Partition: 3}
	require.Equal(t, "jobs", jobs.String())
	require.Equal(t, "jobs#3", third.String())
	require.Negative(t, jobs.Compare(third))
	require.Positive(t, txn.Address{Space: "later"}.Compare(third))
	require.Zero(t, third.Compare(third))
}
