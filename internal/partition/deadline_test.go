package partition_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// Each wait ends when it should, whatever becomes of those that were to end before it.
func TestFind_WaitsAsLongAsItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		defer p.Close()
		c, began := newCaller(), time.Now()
		for i := range uint64(100) {
			p.Find(c, 2+i, query(int64(2+i), true), time.Duration(100-i)*time.Second) // the latest first
		}
		p.CancelWait(c, 101)
		require.ErrorIs(t, c.await(101).err, call.ErrCancelled)
		p.Write(newCaller(), 1, txn.ID{}, call.Request{}, draft(100))
		require.NoError(t, c.await(100).err)
		for i := range uint64(98) {
			require.ErrorIs(t, c.await(99-i).err, call.ErrNoMatch)
			require.Equal(t, time.Duration(3+i)*time.Second, time.Since(began))
		}
		p.Find(c, 200, query(2, true), time.Second)
		require.ErrorIs(t, c.await(200).err, call.ErrNoMatch)
		require.Equal(t, 101*time.Second, time.Since(began), "the timer is set again")
	})
}
