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
		require.NotContains(t, live, r)
		live[r] = row
	}
	for r, want := range live {
		require.Equal(t, want, a.get(r, uint32(len(want))))
		a.drop(r)
	}
	for _, c := range a.classes {
		require.Zero(t, c.used)
		require.LessOrEqual(t, len(c.blocks), 1, "an empty class gives its blocks back")
	}
}
