package server

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// What ends without the session's doing is forgotten in time.
func TestOpenTxns_ForgetWhatHasExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var o openTxns
		o.add(1, math.MaxInt64)
		o.add(2, int64(time.Minute))
		for n := uint64(3); n < 100*minSweep; n++ {
			o.add(n, int64(time.Second))
			if n%minSweep == 0 {
				o.renewed([]call.Grant{{ID: 2, Granted: int64(time.Minute)}})
				time.Sleep(2 * time.Second)
			}
			require.LessOrEqual(t, len(o.ends), 2*minSweep+2)
		}
		require.Contains(t, o.ends, uint64(1))
		require.Contains(t, o.ends, uint64(2))
		o.renewed([]call.Grant{{ID: 1 << 40, Granted: 1}})
		require.NotContains(t, o.ends, uint64(1<<40), "an entry's lease")
	})
}

func TestOpenTxns_ForgetWhatHasEnded(t *testing.T) {
	t.Parallel()
	s := &session{}
	c := &caller{outlet: outlet{s: s}, at: txn.Address{Space: "space"}}
	for n := uint64(1); n <= 4; n++ {
		c.txns.add(n, 1)
		c.ending(10+n, c.home(txn.ID{Space: "space", Number: n}))
	}
	c.ending(20, txn.ID{Number: 9}) // another client's
	c.txns.settle(11, nil)
	c.txns.settle(12, call.ErrTxnEnded)
	c.txns.settle(13, errors.New("refused"))
	c.txns.settle(20, nil)
	require.Len(t, c.txns.ends, 2)
	require.Equal(t, map[uint64]uint64{14: 4}, c.txns.ending)
}
