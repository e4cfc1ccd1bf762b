package node

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The nodes of a cluster have as many connections together as they may have, and each has one.
func TestConnShare(t *testing.T) {
	t.Parallel()
	for conns, want := range map[int][]int{16: {6, 5, 5}, 3: {1, 1, 1}, 2: {1, 1, 1}, 1: {1, 1, 1}, 7: {3, 2, 2}} {
		var got []int
		for rank := range 3 {
			got = append(got, connShare(conns, 3, rank))
		}
		require.Equal(t, want, got, conns)
	}
	require.Equal(t, 1, connShare(16, 0, 0), "no node is known yet")
}
