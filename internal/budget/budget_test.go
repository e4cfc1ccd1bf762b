package budget

import (
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const mib = 1 << 20

func TestBudget_IsScarceAndThenFull(t *testing.T) {
	t.Parallel()
	b := New(100 * mib)
	require.True(t, b.Reserve(69*mib))
	require.False(t, b.Scarce())
	b.Add(mib)
	require.True(t, b.Scarce())
	require.True(t, b.Reserve(9*mib))
	require.True(t, b.Tight())
	require.False(t, b.Keep(1))
	require.False(t, b.Reserve(mib), "it would be full")
	require.False(t, b.Full())
	b.Add(mib)
	require.True(t, b.Full())
	b.Add(-80 * mib)
	require.False(t, b.Scarce())
	require.Equal(t, Stats{Limit: 100 * mib}, b.Stats())

	why := errors.New("why")
	require.ErrorIs(t, b.Refuse(why), why)
	require.Equal(t, uint64(1), b.Stats().Refused)
}

func TestBudget_WithoutLimitRefusesNothing(t *testing.T) {
	t.Parallel()
	b := New(0)
	b.Add(1 << 60)
	require.True(t, b.Reserve(1<<60))
	require.False(t, b.Scarce() || b.Full())
	require.Zero(t, b.Settle(0, 1<<60))
	require.Zero(t, b.Stats())
}

func TestBudget_SettlesInSteps(t *testing.T) {
	t.Parallel()
	b := New(100 * mib)
	charged := b.Settle(0, Step-1)
	require.Zero(t, charged, "not worth it")
	charged = b.Settle(charged, 3*Step)
	require.Equal(t, int64(3*Step), b.Stats().Charged)
	charged = b.Settle(charged, 2*Step+1)
	require.Equal(t, int64(3*Step), charged)
	require.Zero(t, b.Settle(charged, 0))
	require.Zero(t, b.Stats().Charged, "who holds nothing has charged nothing")
}

func TestBudget_ReservesNeverMoreThanThereIs(t *testing.T) {
	t.Parallel()
	b := New(100 * mib)
	var all sync.WaitGroup
	var got [8]int64
	for i := range got {
		all.Go(func() {
			for range 1000 {
				if b.Reserve(mib) {
					got[i]++
				}
			}
		})
	}
	all.Wait()
	sum := int64(0)
	for _, n := range got {
		sum += n
	}
	require.Positive(t, sum)
	require.LessOrEqual(t, sum, int64(79))
	require.Equal(t, sum*mib, b.Stats().Charged)
}

var ballast []byte

// Uncharged memory is found by measuring.
func TestMeter_SeesWhatIsInUse(t *testing.T) {
	m := newMeter()
	runtime.GC()
	before, fresh := m.read()
	require.True(t, fresh)
	_, fresh = m.read()
	require.False(t, fresh, "nothing was collected since")
	ballast = make([]byte, 64*mib)
	runtime.GC()
	after, fresh := m.read()
	require.True(t, fresh)
	require.Greater(t, after-before, int64(60*mib))
	ballast = nil
}
