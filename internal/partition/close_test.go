package partition_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/txn"
)

// A call that was executed has its outcome, however soon the partition is closed: also if that was before its committer
// came to run.
func TestClose_CommitsWhatCallsHaveLeft(t *testing.T) {
	t.Parallel()
	for range 300 {
		log := new(tape)
		p := partition.New(partition.Config{Log: log})
		require.NoError(t, p.Start(t.Context(), nil))
		c := newCaller()
		p.Register(c, 1, job)
		p.Write(c, 2, txn.ID{}, call.Request{}, draft(1))
		require.NoError(t, p.Close())
		require.False(t, c.held(2), "its outcome is held back for ever")
		require.NoError(t, c.await(2).err)
	}
}
