package writeback

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

// dividable returns a batch of groups with random calls, and the entries of each call.
func dividable(t *testing.T, random *rand.Rand) (b *batch, calls [][]uint64) {
	t.Helper()
	b = newBatch(mirrorAll())
	b.ties = newTies()
	b.reset(&batch{highest: 1000})
	for position := range uint64(20) {
		var group []byte
		for range 1 + random.IntN(5) {
			var entries []uint64
			var changes record.Changes
			for range 1 + random.IntN(3) {
				entry := 1 + random.Uint64N(2000)
				entries = append(entries, entry)
				changes.Add(entry)
				switch random.IntN(3) {
				case 0:
					group = record.AppendPut(group, entry, 1, 5, nil)
				case 1:
					group = record.AppendRemove(group, entry, 1, record.Taken)
				case 2:
					group = record.AppendChange(group, entry, 1, 5, nil)
				}
			}
			group = record.AppendRenew(group, 1+random.Uint64N(2000), 1, 7)
			group = changes.Mark(group)
			calls = append(calls, entries)
		}
		require.NoError(t, b.add(record.Group{Position: position + 1, Records: group}))
	}
	return b, calls
}

func TestDivide_KeepsCallsAndEntriesWhole(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	most := 0 // parts that were used
	for range 100 {
		b, calls := dividable(t, random)
		n := 1 + random.IntN(5)
		parts := b.divide(n)
		at := make(map[uint64]int)
		place := func(entry uint64, part int) {
			was, ok := at[entry]
			require.True(t, !ok || was == part, "entry %d is in two parts", entry)
			at[entry] = part
		}
		changes := 0
		for i, p := range parts {
			changes += p.changes()
			for j := range p.puts {
				place(p.puts[j].entry, i)
			}
			for entry, left := range p.gone {
				place(entry, i)
				require.Equal(t, b.gone[entry], left)
			}
			for entry, patch := range p.patches {
				place(entry, i)
				require.Equal(t, b.patches[entry], patch)
			}
		}
		used := make(map[int]bool)
		for _, part := range at {
			used[part] = true
		}
		most = max(most, len(used))
		require.Equal(t, b.changes(), changes)
		for _, call := range calls {
			in := make(map[int]bool)
			for _, entry := range call {
				if part, ok := at[entry]; ok { // it may have come and gone
					in[part] = true
				}
			}
			require.LessOrEqual(t, len(in), 1, "a call is in several parts")
		}
	}
	require.Equal(t, 5, most)
}

func TestDivide_OnlyCallsTieEntries(t *testing.T) {
	t.Parallel()
	b := newBatch(mirrorAll())
	b.ties = newTies()
	b.reset(&batch{highest: 1000})
	var group []byte
	for entry := uint64(1); entry <= 100; entry++ {
		group = record.AppendPut(group, entry, 1, 5, nil)
	}
	group = record.AppendPut(group, 101, 1, 5, nil)
	group = record.AppendTogether(record.AppendPut(group, 102, 1, 5, nil), 2)
	require.NoError(t, b.add(record.Group{Position: 1, Records: group}))
	for entry := uint64(1); entry <= 101; entry++ {
		require.Equal(t, entry, b.ties.root(entry))
	}
	require.Equal(t, uint64(101), b.ties.root(102))
}
