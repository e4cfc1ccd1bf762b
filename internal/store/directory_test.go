package store

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDirectory_IsAMap(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	d, want := newDirectory(), map[uint64]Place{}
	var newest uint64
	for i := range 200_000 {
		// The directory grows and shrinks in phases, sometimes to nothing.
		if grow := i/20_000%2 == 0; len(want) == 0 || r.IntN(10) < 2 || grow && r.IntN(10) < 7 {
			newest += uint64(1 + r.IntN(3))
			want[newest] = Place{1, Slot(newest)}
			d.put(newest, want[newest])
		} else {
			for id := range want {
				d.remove(id)
				delete(want, id)
				break
			}
		}
		id := uint64(r.Int64N(int64(newest) + 2))
		at, ok := d.get(id)
		if place, there := want[id]; at != place || ok != there || d.n != len(want) {
			require.Failf(t, "wrong", "%d is at %v (%t), not %v (%t); %d of %d", id, at, ok, place, there, d.n,
				len(want))
		}
	}
	for id := range want {
		d.remove(id)
	}
	require.LessOrEqual(t, len(d.pages), 1, "pages that are empty are given up")
	require.Empty(t, d.rest)
}
