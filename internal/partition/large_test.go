package partition_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/internal/record"
	"github.com/gospaces/gospaces/txn"
)

// A large write brings memory for its records. Records that already waited for the log are in it, too, in front.
func TestWrite_LargeOnesReachTheLogWhole(t *testing.T) {
	t.Parallel()
	log := new(tape)
	p := partition.New(partition.Config{Log: log})
	require.NoError(t, p.Start(t.Context(), nil))
	c := newCaller()
	p.Register(c, 1, task)
	require.NoError(t, c.await(1).err)
	sizes := []int{1, 4096, 1, 2000, 1}
	want := 0
	for i, n := range sizes {
		var drafts []call.Draft
		for range n {
			want++
			drafts = append(drafts, call.Draft{Kind: 1, Row: taskRow(want, 0, string(make([]byte, 1000))), Lease: call.Forever})
		}
		p.Write(c, uint64(i+2), txn.ID{}, call.Request{}, drafts)
	}
	for i := range sizes {
		require.NoError(t, c.await(uint64(i+2)).err)
	}
	require.NoError(t, p.Close())
	puts := 0
	for _, msg := range log.msgs {
		var r record.Record
		for rest := msg[record.HeaderSize:]; len(rest) > 0; {
			var err error
			rest, err = record.Next(rest, &r)
			require.NoError(t, err)
			if r.Op != record.Put {
				continue
			}
			puts++
			require.Equal(t, []byte(taskRow(puts, 0, string(make([]byte, 1000)))), r.Body)
		}
	}
	require.Equal(t, want, puts)
}
