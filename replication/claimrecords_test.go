package replication

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

// Losses that follow each other within a moment, by the clock, do not give out the same identities.
func TestClaim_LossesOfOneMomentBeginApart(t *testing.T) {
	t.Parallel()
	clock := record.Clock{Wall: time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC).UnixNano()}
	origin := func(loss int) (id uint64) {
		_, body, err := record.Split((&Log{}).claim(intent{follows: 7, loss: loss}, clock))
		require.NoError(t, err)
		var r record.Record
		for rest := claimRecords(clock, body); len(rest) > 0; {
			rest, err = record.Next(rest, &r)
			require.NoError(t, err)
			if r.Op == record.Origin {
				id = r.ID
			}
		}
		return id
	}
	require.Zero(t, origin(0), "nothing was lost")
	require.Equal(t, record.OriginAt(clock.Wall), origin(1))
	for loss := range 10 {
		require.Greater(t, origin(loss+2), origin(loss+1)+100_000)
	}
}
