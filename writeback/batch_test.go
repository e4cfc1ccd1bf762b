package writeback

import (
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

func mirrorAll() *kindModes { return new(database).kindModes() }

// applyTo does to rows (entry → expiry) what the database does for a batch.
func (b *batch) applyTo(t *testing.T, rows map[uint64]int64) {
	t.Helper()
	for entry := range b.gone {
		delete(rows, entry)
	}
	for entry, p := range b.patches {
		if _, ok := rows[entry]; ok {
			rows[entry] = p.expires
		}
	}
	for _, p := range b.puts {
		if p.dead {
			continue
		}
		if !p.known {
			require.NotContains(t, rows, p.entry, "COPY would fail")
		}
		rows[p.entry] = p.expires
	}
}

// Whatever the log contains, even an entry that is put twice or removed before it is put, batches of any size have the
// same effect as its records one by one.
func TestBatch_HasTheEffectOfItsRecords(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		want, got := make(map[uint64]int64), make(map[uint64]int64)
		b, previous := newBatch(mirrorAll()), newBatch(mirrorAll())
		for position := uint64(1); position < 100; position++ {
			var group []byte
			for range r.IntN(5) {
				entry, expires := 1+r.Uint64N(8+position/4), r.Int64N(100)
				switch r.IntN(3) {
				case 0:
					want[entry] = expires
					group = record.AppendPut(group, entry, 1, expires, nil)
				case 1:
					delete(want, entry)
					group = record.AppendRemove(group, entry, 1, record.Taken)
				case 2:
					if _, ok := want[entry]; ok {
						want[entry] = expires
					}
					group = record.AppendRenew(group, entry, 1, expires)
				}
			}
			require.NoError(t, b.add(record.Group{Position: position, Records: group}))
			if r.IntN(4) == 0 {
				b.applyTo(t, got)
				require.True(t, maps.Equal(want, got), "seed %d", seed)
				previous.reset(b)
				require.Equal(t, position, previous.from)
				b, previous = previous, b
			}
		}
	}
}

func TestBatch_KeepsNothingOfTheGroup(t *testing.T) {
	t.Parallel()
	b := newBatch(mirrorAll())
	group := record.AppendPut(nil, 1, 1, 0, []byte("row"))
	require.NoError(t, b.add(record.Group{Position: 1, Records: group}))
	clear(group)
	require.Equal(t, "row", string(b.puts[0].row))
}
