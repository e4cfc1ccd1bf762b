package record_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/record"
)

func TestOriginAt(t *testing.T) {
	t.Parallel()
	at := func(year int, d time.Duration) uint64 {
		return record.OriginAt(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Add(d).UnixNano())
	}
	require.Zero(t, record.OriginAt(0))
	require.Zero(t, at(2025, 0))
	require.EqualValues(t, 3_906_250, at(2026, time.Second))
	require.EqualValues(t, 3_906_250, at(2036, time.Second)-at(2036, 0))
	require.Less(t, at(2059, 0), at(2060, 0))
	require.Less(t, at(2262, 0), uint64(1)<<52)
}
