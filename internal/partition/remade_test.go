package partition_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
	"github.com/gospaces/gospaces/txn"
)

// remake puts an empty partition in the place of a, whose identities begin after those of the old one.
func (f *fleet) remake() {
	old := f.parts["a"]
	old.Abandon()
	f.parts["a"] = partition.New(partition.Config{
		Address: at("a"), Txns: f.spans, Origin: old.Highest(),
	})
	require.NoError(f.t, f.parts["a"].Start(f.t.Context(), nil))
	f.ok(func(c *caller) { f.parts["a"].Register(c, 1, job) })
}

// at returns the address of a partition of a fleet.
func at(name string) txn.Address {
	for a, n := range nameOf {
		if n == name {
			return a
		}
	}
	panic(name)
}

// A prepared branch asks its home, which was dropped, and made again under its name, and has transactions of its own:
// those are not taken for the one of the branch, whether they are active or committed.
func TestOutcome_OfASpaceMadeAgain(t *testing.T) {
	t.Parallel()
	for _, commits := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t, nil)
			defer f.close()
			f.ok(func(c *caller) { f.parts["b"].Write(c, 1, txn.ID{}, call.Request{}, draft(1)) })
			id, err := f.begin()
			require.NoError(t, err)
			require.NoError(t, f.work(id, "b"))
			prepared, err := f.prepare("b", id)
			require.NoError(t, err)
			require.True(t, prepared)

			f.remake()
			for range 5 { // as many as the old home had, and more
				other, err := f.begin()
				require.NoError(t, err)
				require.NoError(t, f.spans.Join(other, f.parts["c"]))
				f.ok(func(c *caller) { f.parts["c"].Write(c, 1, other, call.Request{}, draft(7)) })
				_, err = f.prepare("c", other)
				require.NoError(t, err)
				if commits { // and the branch is not told
					on := []txn.Address{at("c")}
					_, err = f.parts["a"].Decide(t.Context(), other.Number, call.Request{}, nil, on, nil)
					require.NoError(t, err)
				}
			}
			f.spans.Recovered(at("b"))
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Empty(t, f.parts["b"].Participant().Branches(), "it was aborted")
			require.True(t, f.has("b", 1))
			require.False(t, f.has("b", 2))
			require.ErrorIs(t, f.commit(id), call.ErrTxnEnded)
		})
	}
}
