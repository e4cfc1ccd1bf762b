package node_test

import (
	"bytes"
	"context"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/internal/backup"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
)

// ordered is a kind whose entries live where the customer's others do.
type ordered struct {
	Customer string `space:"customer,route"`
	ID       int
}

// writeParcels writes n parcels, one by one.
func writeParcels(t *testing.T, sp space.Space, n int) {
	t.Helper()
	for i := range n {
		_, err := space.Write(t.Context(), sp, parcel{i + 1})
		require.NoError(t, err)
	}
}

func countParcels(t *testing.T, sp space.Space) int {
	t.Helper()
	n, err := space.Count(t.Context(), sp, parcel{})
	require.NoError(t, err)
	return n
}

// A space of several partitions is what it was after a restart, with entries in all of them.
func TestPartitions_SurviveARestart(t *testing.T) {
	t.Parallel()
	cfg := node.Config{Data: t.TempDir()}
	n := open(t, cfg)
	c := dial(t, n, "jobs")
	require.NoError(t, c.CreateSpace(t.Context(), "jobs", client.Partitions(3)))
	writeParcels(t, c, 30)
	for i := range 10 {
		_, err := space.Write(t.Context(), c, ordered{"c", i})
		require.NoError(t, err)
	}
	require.NoError(t, n.Close(t.Context()))

	n = running(t, cfg)
	c = dial(t, n, "jobs")
	partitions, err := c.Partitions(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, partitions)
	require.Equal(t, 30, countParcels(t, c))
	found, err := space.TakeAll(t.Context(), c, ordered{Customer: "c"}, 100, space.NoWait())
	require.NoError(t, err)
	require.Len(t, found, 10)
	for i, o := range found {
		require.Equal(t, i, o.ID, "one partition has them all, in order")
	}
	seen := map[int]bool{}
	for i := range 30 {
		p, err := space.Take(t.Context(), c, parcel{}, space.NoWait())
		require.NoError(t, err, i)
		seen[p.ID] = true
	}
	require.Len(t, seen, 30)
}

// A space that is created anew may have another number of partitions; clients that know the old one go on.
func TestPartitions_DroppedAndCreatedAnew(t *testing.T) {
	t.Parallel()
	for _, durability := range []string{node.Memory, node.Logged} {
		dir := t.TempDir()
		n := running(t, node.Config{Data: dir, Durability: durability})
		c := dial(t, n, "default")
		sp := c.SpaceNamed("jobs")
		for _, partitions := range []int{3, 1, 4, 2} {
			require.NoError(t, c.CreateSpace(t.Context(), "jobs", client.Partitions(partitions)))
			require.NoError(t, c.CreateSpace(t.Context(), "jobs"), "it is there")
			err := c.CreateSpace(t.Context(), "jobs", client.Partitions(partitions+1))
			require.ErrorIs(t, err, space.ErrInvalidArgument)
			writeParcels(t, sp, 20)
			require.Equal(t, 20, countParcels(t, sp))
			require.NoError(t, c.DropSpace(t.Context(), "jobs", false))
			awaitRemoved(t, dir, "jobs")
			require.Zero(t, countParcels(t, sp))
		}
		writeParcels(t, sp, 3)
		known, err := sp.Partitions(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, known)
	}
}

// A client whose calls all concern one partition goes on, too, when the space has no partition of that number any more.
func TestPartitions_DroppedAndCreatedWithFewer(t *testing.T) {
	t.Parallel()
	n := running(t, node.Config{Durability: node.Memory})
	admin := dial(t, n, "default")
	for i := range 8 { // some live in the first partition, most do not
		customer := "customer " + strconv.Itoa(i)
		require.NoError(t, admin.CreateSpace(t.Context(), "jobs", client.Partitions(3)))
		sp := dial(t, n, "jobs")
		write := func(id int) {
			_, err := space.Write(t.Context(), sp, ordered{customer, id})
			require.NoError(t, err, customer)
		}
		write(1)
		require.NoError(t, admin.DropSpace(t.Context(), "jobs", false))
		_, err := space.Read(t.Context(), sp, ordered{Customer: customer}, space.NoWait())
		require.ErrorIs(t, err, space.ErrNoMatch, customer)
		require.NoError(t, admin.CreateSpace(t.Context(), "jobs", client.Partitions(3)))
		write(2)
		require.NoError(t, admin.DropSpace(t.Context(), "jobs", false))
		write(3) // creates it
		write(4)
		found, err := space.ReadAll(t.Context(), sp, ordered{Customer: customer}, 10)
		require.NoError(t, err)
		require.Equal(t, []ordered{{customer, 3}, {customer, 4}}, found)
		require.NoError(t, admin.DropSpace(t.Context(), "jobs", false))
	}
}

// A wait in a space that does not exist goes on when it is created, however many partitions it has.
func TestPartitions_AWaitIsThereBeforeTheSpace(t *testing.T) {
	t.Parallel()
	n := running(t, node.Config{Durability: node.Memory})
	c := dial(t, n, "default")
	sp := c.SpaceNamed("jobs")
	got := make(chan error, 1)
	go func() {
		_, err := space.Take(t.Context(), sp, parcel{})
		got <- err
	}()
	require.NoError(t, c.CreateSpace(t.Context(), "jobs", client.Partitions(3)))
	writeParcels(t, c.SpaceNamed("jobs"), 1)
	require.NoError(t, <-got)
}

func TestPartitions_AreInBackups(t *testing.T) {
	t.Parallel()
	n := running(t, node.Config{Data: t.TempDir()})
	c := dial(t, n, "jobs")
	require.NoError(t, c.CreateSpace(t.Context(), "jobs", client.Partitions(3)))
	writeParcels(t, c, 30)
	b, err := makeBackup(t.Context(), c, func(string) {})
	require.NoError(t, err)
	found, err := backup.Verify(bytes.NewReader(b))
	require.NoError(t, err)
	sum := 0
	for _, s := range found {
		sum += s.Entries["parcel"]
	}
	require.Equal(t, 30, sum)
	require.Len(t, found, 4, "three partitions, and the default space")

	dir := t.TempDir()
	names, err := backup.Restore(t.Context(), bytes.NewReader(b), dir)
	require.NoError(t, err)
	require.Equal(t, []string{"default", "jobs"}, names)
	found, err = backup.VerifyFolder(t.Context(), dir)
	require.NoError(t, err)
	require.Len(t, found, 4)
	c = dial(t, running(t, node.Config{Data: dir}), "jobs")
	require.Equal(t, 30, countParcels(t, c))
}

// What is left of a space whose creation, or removal, was cut off is removed at the next start.
func TestPartitions_LeftOnTheWayAreRemoved(t *testing.T) {
	t.Parallel()
	cfg := node.Config{Data: t.TempDir()}
	n := open(t, cfg)
	c := dial(t, n, "default")
	require.NoError(t, c.CreateSpace(t.Context(), "jobs", client.Partitions(3)))
	writeParcels(t, c.SpaceNamed("jobs"), 9)
	require.NoError(t, n.DropLog(t.Context(), "jobs", 0))
	require.NoError(t, n.Close(context.Background()))

	n = running(t, cfg)
	require.Equal(t, []string{"default"}, n.Names())
	awaitRemoved(t, cfg.Data, "log-jobs")
}

func TestPartitions_OfAProgramBesideTheServer(t *testing.T) {
	t.Parallel()
	n := running(t, node.Config{Durability: node.Memory})
	c := dial(t, n, "default")
	require.NoError(t, c.CreateSpace(t.Context(), "jobs", client.Partitions(2)))
	_, err := n.Space("jobs")
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	require.ErrorContains(t, err, `space "jobs" has 2 partitions: use it as a client`)
	require.ErrorIs(t, c.CreateSpace(t.Context(), "more", client.Partitions(257)), space.ErrInvalidArgument)
	require.ErrorIs(t, c.CreateSpace(t.Context(), "more", client.Partitions(0)), space.ErrInvalidArgument)
}
