package spacetest_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/local"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// TestReadLease runs what the suite has on reads, waits and locks on primaries whose read leases are over when they are
// granted, so that every answer waits for a message of the log.
func TestReadLease(t *testing.T) {
	t.Parallel()
	store, err := replication.Open(t.Context(), replication.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	spacetest.RunTopics(t, func(tb testing.TB) space.Space {
		log, err := store.Log(tb.Context(), rand.Text(), 0)
		require.NoError(tb, err)
		p := partition.New(partition.Config{Log: log, Lease: time.Nanosecond})
		require.NoError(tb, p.Start(tb.Context(), nil))
		sp := observed{local.New(p, nil), p}
		tb.Cleanup(func() { sp.Close() })
		return sp
	}, "read", "take", "order", "wait", "contents", "hidden", "notify", "event", "txn", "lock", "ifexists", "lockwait",
		"deadlock", "query", "outcome", "longest", "history")
}
