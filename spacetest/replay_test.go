package spacetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/local"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/replication"
	"github.com/gospaces/gospaces/space"
)

// TestReplay runs random histories on a space with a log and rebuilds it from that log, several times over: the state
// is the same each time.
func TestReplay(t *testing.T) {
	t.Parallel()
	store, err := replication.Open(t.Context(), replication.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	defer store.Close()
	log, err := store.Log(t.Context(), "default", 0)
	require.NoError(t, err)

	live := uint64(0)
	for round := range 4 {
		p := partition.New(partition.Config{Log: log})
		require.NoError(t, p.Start(t.Context(), nil))
		if round > 0 {
			require.Equal(t, live, p.Hash(), "round %d", round)
		}
		sp := local.New(p, nil)
		w := workload{clients: 4, calls: 150, keys: 3, colors: 2, crossKeys: true, txns: 40, updates: 7}
		judge(t, w, w.run(t, []space.Space{sp}))
		leave(t, sp, round)
		live = p.Hash()
		require.NoError(t, sp.Close())
	}
}

// leave leaves entries of several kinds, leases that will not end meanwhile, a schema that grows, and a registration
// with events.
func leave(t *testing.T, sp space.Space, round int) {
	t.Helper()
	k := &kit{T: t, ctx: t.Context(), sp: sp}
	_, err := space.Notify(k.ctx, sp, simple{}, space.For(long))
	k.ok(err)
	for i := range 50 {
		write(k, simple{fmt.Sprint(i), round}, space.For(long+time.Duration(i)))
	}
	fleet(k)
	write(k, first{round})
	write(k, third{"grown", 1, round})
	ls := writeAll(k, e1, e2, e3)
	_, err = ls[0].Renew(k.ctx, 2*long)
	k.ok(err)
	k.ok(ls[1].Cancel(k.ctx))
	take(k, simple{Name: "7"}, space.OrderBy("-id"))
}
