package partition_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/internal/call"
	"github.com/gospaces/gospaces/internal/partition"
)

// The other nodes of a cluster are told of a partition whether it serves, in which epoch and up to where.
func TestServing_IsOfThePrimary(t *testing.T) {
	t.Parallel()
	k := newCrew(t, 0, 0)
	p, q := k.views[0].p, k.views[1].p
	first, ok := p.Serving()
	require.True(t, ok)
	require.Equal(t, k.views[0].Primary().Since, first)
	_, ok = q.Serving()
	require.False(t, ok)
	k.agree(0)
	require.Equal(t, p.Position(), q.Position())

	turned := p.Turned()
	require.NoError(t, p.Resign(t.Context(), "1"))
	<-turned
	_, ok = p.Serving()
	require.False(t, ok)
	k.lead(1)
	second, ok := q.Serving()
	require.True(t, ok)
	require.Greater(t, second, first)
	turned = q.Turned()
	require.NoError(t, q.Close())
	<-turned
}

// What was open at a primary that was replaced goes on at the next, which its clients are told.
func TestFenced_TellsWhereItHasMoved(t *testing.T) {
	t.Parallel()
	k := newCrew(t, 0, 0)
	p, q := k.views[0].p, k.views[1].p
	require.NoError(t, write(p, 1))
	k.agree(0)
	waits := newCaller()
	p.Find(waits, 1, query(2, true), -1)
	open := k.views[0].shut(t)
	takes := newCaller()
	p.Find(takes, 1, query(1, true), 0)
	require.True(t, takes.held(1))
	k.lead(1)
	epoch, _ := q.Serving()
	k.views[0].served.Store(&call.ElsewhereError{Node: "b", Epoch: call.Epoch{Claim: epoch}})
	open()
	for _, err := range []error{takes.await(1).err, waits.await(1).err, find(p, query(1, false), 0)} {
		at, ok := errors.AsType[*call.ElsewhereError](err)
		require.True(t, ok, err)
		require.Equal(t, call.ElsewhereError{Node: "b", Epoch: call.Epoch{Claim: epoch}}, *at)
	}
	require.NotErrorIs(t, takes.await(1).err, call.ErrOutcomeUnknown, "it has not happened")
	require.Eventually(t, func() bool { return partition.RoleOf(p) == "follower" }, time.Minute, time.Millisecond)
	k.agree(1)
}
