package client_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/server"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/template"
)

func TestRegistrations_ListsThoseOfAllClients(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	c, other := n.dial(client.Config{}), n.dial(client.Config{})
	_, err := space.Write(t.Context(), c, job{ID: 1})
	require.NoError(t, err)
	kinds, err := c.Kinds(t.Context())
	require.NoError(t, err)
	kind := kinds[0].Schema.Kind

	attended, err := space.Notify(t.Context(), c, job{}, space.On(space.Taken, space.Written))
	require.NoError(t, err)
	left, err := other.Notify(t.Context(), space.Query{Templates: []*template.Template{{}, {Kind: kind}}}, 0,
		space.Forever)
	require.NoError(t, err)
	require.NoError(t, other.Close()) // its registration stays
	_, err = space.Write(t.Context(), c, job{ID: 2})
	require.NoError(t, err)

	var found []client.RegistrationInfo
	require.Eventually(t, func() bool {
		found, err = c.Registrations(t.Context())
		require.NoError(t, err)
		require.Len(t, found, 2)
		return !found[1].Attended
	}, time.Minute, time.Millisecond)
	first := found[0]
	require.Equal(t, attended.Lease().ID(), first.ID)
	require.Equal(t, []string{kind}, first.Kinds)
	require.Equal(t, space.EventTypes(space.Taken, space.Written), first.On)
	require.LessOrEqual(t, first.Lease, 5*time.Minute)
	require.Greater(t, first.Lease, 4*time.Minute)
	require.True(t, first.Attended)
	require.Equal(t, client.RegistrationInfo{
		ID: left.Lease().ID(), Kinds: []string{"", kind}, On: space.EventTypes(space.Written), Lease: space.Forever,
		Events: 1, Unread: 1,
	}, found[1])
}

// More than one answer tells of.
func TestRegistrations_ListsThousands(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	c := n.dial(client.Config{})
	const count = 5000
	want := map[space.LeaseID]bool{}
	for range count {
		reg, err := c.Notify(t.Context(), space.Query{Templates: mustTemplates()}, 0, time.Hour)
		require.NoError(t, err)
		want[reg.Lease().ID()] = true
	}
	found, err := c.Registrations(t.Context())
	require.NoError(t, err)
	require.Len(t, found, count)
	for _, r := range found {
		require.True(t, want[r.ID])
	}
}
