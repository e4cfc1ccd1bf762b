package engine

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// An interrupted wait continues in its old place, wherever that is.
func TestPark_KeepsThePlaceOfAWaitThatGoesOn(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	e := New(Config{}, 0)
	e.Register(1, job)
	var waiters []*Waiter
	for i := range 50 {
		waiters = append(waiters, e.Park(byKey(1, true), i))
	}
	for range 200 {
		i := r.IntN(len(waiters))
		require.True(t, e.Unpark(waiters[i]))
		waiters[i] = e.Park(waiters[i].Query, i)
	}
	var served []int
	for range waiters {
		write1(e, appendJob(nil, 1))
		require.Len(t, e.Granted, 1)
		served = append(served, e.Granted[0].Owner.(int))
	}
	require.True(t, slices.IsSorted(served))
}
