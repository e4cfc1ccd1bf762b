package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/txn"
)

// No number of a space that begins at an origin is one of an earlier space of its name, and of those it knows nothing.
func TestOrigin_IdentitiesBeginThere(t *testing.T) {
	t.Parallel()
	for _, number := range []uint16{0, 3} {
		const origin = 1 << 40
		cfg, base := Config{Partition: number}, txn.IDBase(number)
		e := New(cfg, 0)
		e.Originate(origin)
		e.Originate(2 * origin) // it is not empty any more
		for _, s := range schemas {
			require.NoError(t, e.Register(1, s).Err)
		}
		entry := e.Write(1, txn.ID{}, call.Request{}, []call.Draft{aStone(1)}).Grants[0].ID
		require.Greater(t, entry, base+origin)
		require.Less(t, entry, base+origin+2*fatePageIDs)
		tx := e.Begin(1, call.Forever, call.Request{}, "").Grants[0].ID
		require.Greater(t, tx, entry)
		for _, earlier := range []uint64{base + 1, base + origin - 1, base + origin} {
			require.Equal(t, call.Unknown, e.TxnFate(1, earlier).Fate)
		}
		session, lost := e.OpenSession(call.Client{1}, 0)
		require.False(t, lost)
		require.Greater(t, session, base+origin/identitiesPerSession)

		replica := New(cfg, 0)
		require.NoError(t, replica.Apply(e.Log))
		require.Equal(t, e.Hash(), replica.Hash())

		next := New(cfg, 0)
		next.Originate(e.Highest())
		require.Greater(t, next.Begin(1, call.Forever, call.Request{}, "").Grants[0].ID, e.reserved)
		again, _ := next.OpenSession(call.Client{1}, 0)
		require.Greater(t, again, session)
	}
}
