package store

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestArena_ClassesHoldWhatTheyPromise(t *testing.T) {
	t.Parallel()
	for n := 1; n <= maxUnit; n++ {
		c := classOf(n)
		require.Less(t, c, numClasses, "size %d", n)
		require.GreaterOrEqual(t, unitOf(c), n, "size %d", n)
		if c > 0 {
			require.Less(t, unitOf(c-1), n, "size %d fits the class below", n)
		}
	}
}

func TestArena_KeepsEveryRow(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	var a arena
	live := map[Ref][]byte{}
	for range 20_000 {
		if len(live) > 0 && rnd.IntN(5) < 2 {
			for r, want := range live {
				require.Equal(t, want, a.get(r, uint32(len(want))))
				a.drop(r)
				delete(live, r)
				break
			}
			continue
		}
		row := bytes.Repeat([]byte{byte(rnd.IntN(256))}, 1+int(rnd.ExpFloat64()*200))
		if rnd.IntN(1000) == 0 {
			row = make([]byte, maxUnit+1)
		}
		r := a.put(row)
		_, used := live[r]
		require.False(t, used)
		live[r] = row
	}
	for r, want := range live {
		require.Equal(t, want, a.get(r, uint32(len(want))))
		a.drop(r)
	}
	for _, c := range a.classes {
		require.Zero(t, c.used)
		require.LessOrEqual(t, c.made, 1, "an empty class gives its blocks back")
	}
}

// Long-lived rows keep only their own blocks, so rows of other sizes have room.
func TestArena_GivesBlocksBackWhileSomeRowsStay(t *testing.T) {
	t.Parallel()
	var a arena
	var refs []Ref
	for range 20_000 {
		refs = append(refs, a.put(make([]byte, 10_000)))
	}
	full := a.bytes
	for i, r := range refs {
		if i%100 != 0 {
			a.drop(r)
		}
	}
	require.Less(t, a.bytes, full/20)
	require.Equal(t, a.size(), a.bytes)
	for range 20_000 { // and it grows again in the same blocks
		a.put(make([]byte, 10_000))
	}
	require.LessOrEqual(t, a.bytes, full+full/100)
	require.Equal(t, a.size(), a.bytes)
}

func BenchmarkArena(b *testing.B) {
	var a arena
	row := make([]byte, 200)
	refs := make([]Ref, 100_000)
	for i := range refs {
		refs[i] = a.put(row)
	}
	for i := 0; b.Loop(); i++ {
		at := i * 7919 % len(refs)
		a.drop(refs[at])
		refs[at] = a.put(row)
	}
}
