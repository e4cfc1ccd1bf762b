package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/txn"
)

// dial returns a client of the node, which is closed with the test.
func dial(t *testing.T, n *node.Node, name string) *client.Client {
	t.Helper()
	c, err := client.DialConfig(t.Context(), client.Config{Addr: n.Addr(), Space: name})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// running returns a node that is closed with the test.
func running(t *testing.T, cfg node.Config) *node.Node {
	t.Helper()
	n := open(t, cfg)
	t.Cleanup(func() { require.NoError(t, n.Close(context.Background())) })
	return n
}

type parcel struct{ ID int }

// Calls that change nothing find nothing in a space that does not exist, and do not create it.
func TestNowhere_ReadsCreateNothing(t *testing.T) {
	t.Parallel()
	n := running(t, node.Config{Data: t.TempDir(), Limits: node.Limits{Spaces: 1}})
	c := dial(t, n, "typo")
	kinds, err := c.Kinds(t.Context())
	require.NoError(t, err)
	require.Empty(t, kinds)
	count, err := space.Count(t.Context(), c, parcel{})
	require.NoError(t, err)
	require.Zero(t, count)
	_, err = space.Read(t.Context(), c, parcel{}, space.NoWait())
	require.ErrorIs(t, err, space.ErrNoMatch)
	_, err = space.Take(t.Context(), c, parcel{}, space.Wait(time.Millisecond))
	require.ErrorIs(t, err, space.ErrNoMatch)
	_, err = space.TakeAll(t.Context(), c, parcel{}, 10, space.NoWait())
	require.ErrorIs(t, err, space.ErrNoMatch)
	for range space.Contents(t.Context(), c, parcel{}) {
		t.Fatal("nothing is there")
	}
	require.ErrorIs(t, c.Cancel(t.Context(), 7), space.ErrLeaseEnded)
	_, err = c.Registrations(t.Context())
	require.NoError(t, err)
	_, err = c.Status(t.Context())
	require.NoError(t, err)
	_, err = c.Snapshot(t.Context())
	require.ErrorContains(t, err, `there is no space "typo"`)
	require.ErrorIs(t, c.Drop(t.Context(), "parcel"), space.ErrNoMatch)
	require.Equal(t, []string{"default"}, n.Names())

	_, err = space.Write(t.Context(), c, parcel{1})
	require.ErrorIs(t, err, space.ErrSpaceFull, "a write needs the space")
	require.Equal(t, []string{"default"}, n.Names())
}

// A client that asks for a partition that the space does not have learns how many it has.
func TestLookup_TellsWhichPartitionsThereAre(t *testing.T) {
	t.Parallel()
	n := running(t, node.Config{Data: t.TempDir()})
	p, err := n.Lookup(txn.Address{Space: "default"})
	require.NoError(t, err)
	require.NotNil(t, p.Host)
	require.Equal(t, 1, p.Partitions)
	p, err = n.Lookup(txn.Address{Space: "default", Partition: 1})
	require.NoError(t, err)
	require.Empty(t, p.Incarnation)
	require.Equal(t, 1, p.Partitions)
	for number := range uint16(2) {
		nowhere, err := n.Lookup(txn.Address{Space: "typo", Partition: number})
		require.NoError(t, err)
		require.Empty(t, nowhere.Incarnation)
		require.Zero(t, nowhere.Partitions)
	}
}

// Calls that change something create the space.
func TestNowhere_ChangesCreateTheSpace(t *testing.T) {
	t.Parallel()
	n := running(t, node.Config{Data: t.TempDir()})
	c := dial(t, n, "default")
	for name, do := range map[string]func(sp *client.Space) error{
		"write": func(sp *client.Space) error {
			_, err := space.Write(t.Context(), sp, parcel{1})
			return err
		},
		"notify": func(sp *client.Space) error {
			_, err := space.Notify(t.Context(), sp, parcel{})
			return err
		},
		"begin": func(sp *client.Space) error {
			tx, err := space.Begin(t.Context(), sp)
			if err != nil {
				return err
			}
			return tx.Commit(t.Context())
		},
		"join": func(sp *client.Space) error { // of a transaction that began elsewhere
			tx, err := space.Begin(t.Context(), c)
			if err != nil {
				return err
			}
			if _, err := space.Count(t.Context(), sp, parcel{}, space.In(tx)); err != nil {
				return err
			}
			if _, err := space.Write(t.Context(), sp, parcel{2}, space.In(tx)); err != nil {
				return err
			}
			return tx.Commit(t.Context())
		},
		"create": func(sp *client.Space) error { return c.CreateSpace(t.Context(), sp.Name()) },
	} {
		sp := c.SpaceNamed(name)
		_, err := sp.Kinds(t.Context())
		require.NoError(t, err)
		require.NotContains(t, n.Names(), name)
		require.NoError(t, do(sp), name)
		require.Contains(t, n.Names(), name)
	}
	got, err := space.Take(t.Context(), c.SpaceNamed("join"), parcel{})
	require.NoError(t, err)
	require.Equal(t, parcel{2}, got)
	require.ErrorIs(t, c.CreateSpace(t.Context(), "no/name"), space.ErrInvalidArgument)
}

// A call that waits in a space that does not exist is served by the call that creates the space.
func TestNowhere_WaitsAreServedByALaterWrite(t *testing.T) {
	t.Parallel()
	n := running(t, node.Config{Data: t.TempDir()})
	for range 20 { // writes meet waits at every stage
		c, w := dial(t, n, "orders"), dial(t, n, "orders")
		const waits = 8
		got := make(chan error, waits)
		for i := range waits {
			go func() {
				job, err := space.Take(t.Context(), c, parcel{ID: i + 1})
				if err == nil && job.ID != i+1 {
					err = space.ErrOutcomeUnknown
				}
				got <- err
			}()
		}
		for i := range waits {
			_, err := space.Write(t.Context(), w, parcel{ID: i + 1})
			require.NoError(t, err)
		}
		for range waits {
			require.NoError(t, <-got)
		}
		require.NoError(t, dial(t, n, "default").DropSpace(t.Context(), "orders", false))
	}
}
