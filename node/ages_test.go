package node

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAges(t *testing.T) {
	t.Parallel()
	var a ages
	begin := time.Unix(1000, 0)
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	require.Zero(t, a.age(1, begin), "nothing is known")
	a.sample(10, at(0))
	a.sample(10, at(1))
	a.sample(30, at(2))
	require.Equal(t, 5*time.Second, a.age(1, at(5)), "at least")
	require.Equal(t, 5*time.Second, a.age(10, at(5)))
	require.Equal(t, 3*time.Second, a.age(11, at(5)))
	require.Zero(t, a.age(31, at(5)), "it is younger than the last sample")
	a.sample(5, at(6))
	require.Equal(t, time.Second, a.age(5, at(7)), "another space")
}

// The memory is bounded; the older an entry is, the less exact is its age.
func TestAges_AreBounded(t *testing.T) {
	t.Parallel()
	var a ages
	begin := time.Unix(1000, 0)
	const seconds = 100_000
	for i := range uint64(seconds) {
		a.sample(i+1, begin.Add(time.Duration(i)*time.Second))
	}
	require.LessOrEqual(t, len(a.marks), maxMarks)
	now := begin.Add(seconds * time.Second)
	last := time.Duration(1 << 62)
	for order := uint64(1); order <= seconds; order += 97 {
		age, is := a.age(order, now), time.Duration(seconds-order+1)*time.Second
		require.LessOrEqual(t, age, is)
		require.GreaterOrEqual(t, age, is-is/8-2*time.Second)
		require.LessOrEqual(t, age, last)
		last = age
	}
}
