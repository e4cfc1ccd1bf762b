package partition_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/partition"
)

// auditEvery is how many messages there are between the audits of these tests.
const auditEvery = 8

// workUntil writes and takes a job until something is so.
func (k *crew) workUntil(primary int, so func() bool) {
	k.t.Helper()
	p := k.views[primary].p
	require.Eventually(k.t, func() bool {
		require.NoError(k.t, write(p, 2))
		require.NoError(k.t, find(p, query(2, true), 0))
		return so()
	}, time.Minute, time.Millisecond)
}

func TestAudit_ReplicasThatAgreeGoOn(t *testing.T) {
	t.Parallel()
	k := newCrewWith(t, partition.Config{AuditEvery: auditEvery}, 0, 0, 0)
	for _, primary := range []int{0, 1} {
		p := k.lead(primary)
		other := k.views[1-primary].p
		before := other.Stats().Audits + 1
		k.workUntil(primary, func() bool {
			return other.Stats().Audits >= before && k.views[2].p.Stats().Audits >= before
		})
		k.agree(primary)
		require.NoError(t, p.Resign(t.Context(), ""))
	}
	for _, v := range k.views {
		require.Zero(t, v.p.Stats().Differed)
		require.Zero(t, v.distrusted.Load())
	}
}

// A follower whose state is another one leads no more. It makes its state anew, and then follows like the others.
func TestAudit_AFollowerThatDiffersStartsOver(t *testing.T) {
	t.Parallel()
	k := newCrewWith(t, partition.Config{AuditEvery: auditEvery}, 0, 0, 0)
	require.NoError(t, write(k.lead(0), 1))
	k.agree(0)
	v := k.views[1]
	loads := v.loads.Load()
	partition.Spoil(t, v.p)
	k.workUntil(0, func() bool { return v.p.Stats().Differed == 1 })
	require.Eventually(t, func() bool { return v.loads.Load() > loads }, time.Minute, time.Millisecond)
	require.Eventually(t, func() bool { return partition.RoleOf(v.p) == "follower" }, time.Minute, time.Millisecond)
	k.forgive()
	k.workUntil(0, func() bool { return v.p.Stats().Audits >= 2 })
	k.agree(0)
	require.EqualValues(t, 1, v.p.Stats().Differed)
	require.Zero(t, k.views[2].p.Stats().Differed)
	require.EqualValues(t, 1, v.distrusted.Load())
}
