package cluster

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/txn"
)

func TestBeat_IsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	b := &Beat{
		Node: "a", Folder: "x1", Addr: "10.0.0.1:7420", Scarce: true, Control: 12,
		Hears: []string{"a", "c"},
		Parts: []Part{
			{
				At: txn.Address{Space: "jobs", Partition: 3}, Created: 5, Epoch: 7, Position: 900, Index: 1000,
				Able: true,
			},
			{At: txn.Address{Space: "default"}, Why: "it is reading its log"},
		},
	}
	read, err := parseBeat(appendBeat(nil, b))
	require.NoError(t, err)
	require.Equal(t, b, read)
}

func TestBeat_PrefixesAreRefused(t *testing.T) {
	t.Parallel()
	whole := appendBeat(nil, &Beat{
		Node: "a", Folder: "x", Addr: "b", Hears: []string{"c"}, Parts: []Part{{At: txn.Address{Space: "jobs"}}},
	})
	for n := range whole {
		_, err := parseBeat(whole[:n])
		require.ErrorIs(t, err, errBeat, n)
	}
	_, err := parseBeat(append(whole, 0))
	require.ErrorIs(t, err, errBeat)
}

func FuzzBeat(f *testing.F) {
	f.Add(appendBeat(nil, &Beat{
		Node: "a", Folder: "x", Addr: "b", Control: 1, Hears: []string{"c"},
		Parts: []Part{{At: txn.Address{Space: "jobs"}}},
	}))
	f.Add([]byte{beatVersion, 1, 'a', 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := parseBeat(data)
		if err != nil {
			return
		}
		again, err := parseBeat(appendBeat(nil, b))
		require.NoError(t, err)
		require.Equal(t, b, again)
	})
}

func BenchmarkBeat_Parse(b *testing.B) {
	beat := &Beat{Node: "a", Addr: "10.0.0.1:7420"}
	for i := range 200 {
		beat.Parts = append(beat.Parts, Part{
			At: txn.Address{Space: "jobs", Partition: uint16(i)}, Epoch: rand.Uint64N(1 << 30), Position: 1 << 30,
			Index: 1 << 30,
		})
	}
	data := appendBeat(nil, beat)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseBeat(data); err != nil {
			b.Fatal(err)
		}
	}
}
