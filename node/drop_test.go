package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
)

// whatIsLeft returns the files and folders below dir with the name of a space in their names.
func whatIsLeft(t *testing.T, dir, name string) (left []string) {
	t.Helper()
	for _, pattern := range []string{
		"*/*" + name + "*", "*/*/*" + name + "*", "*/*/*/*" + name + "*",
		"*/*/*/*/*" + name + "*",
	} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		require.NoError(t, err)
		left = append(left, found...)
	}
	return left
}

// awaitRemoved waits until nothing with the name of a space is left below dir: the embedded server removes files in the
// background.
func awaitRemoved(t *testing.T, dir, name string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(whatIsLeft(t, dir, name)) == 0 }, time.Minute, time.Millisecond)
}

// spaceStatus is the part of the status about one space.
type spaceStatus struct {
	Name    string
	Waiting int
	Log     struct{ Incarnation string }
}

func statusOfSpace(t *testing.T, n *node.Node, name string) spaceStatus {
	t.Helper()
	var st struct{ Spaces []spaceStatus }
	require.NoError(t, json.Unmarshal(n.Status(), &st))
	i := slices.IndexFunc(st.Spaces, func(s spaceStatus) bool { return s.Name == name })
	require.GreaterOrEqual(t, i, 0, name)
	return st.Spaces[i]
}

// Clients of a dropped space are told; later calls find no space, and create a new one.
func TestDrop_TellsTheClients(t *testing.T) {
	t.Parallel()
	for _, durability := range []string{node.Memory, node.Logged} {
		dir := t.TempDir()
		n := running(t, node.Config{Data: dir, Durability: durability})
		c, c2 := dial(t, n, "orders"), dial(t, n, "default")
		_, err := space.Write(t.Context(), c, parcel{1})
		require.NoError(t, err)
		tx, err := space.Begin(t.Context(), c)
		require.NoError(t, err)
		_, err = space.Take(t.Context(), c, parcel{}, space.In(tx))
		require.NoError(t, err)
		reg, err := space.Notify(t.Context(), c, parcel{})
		require.NoError(t, err)
		waits := make(chan error, 1)
		go func() {
			_, err := space.Take(t.Context(), c, parcel{})
			waits <- err
		}()
		require.Eventually(t, func() bool { return statusOfSpace(t, n, "orders").Waiting == 1 }, time.Minute,
			time.Millisecond)

		require.NoError(t, c2.DropSpace(t.Context(), "orders", false))
		require.Equal(t, []string{"default"}, n.Names())
		err = <-waits
		require.ErrorIs(t, err, space.ErrDropped)
		require.ErrorContains(t, err, `space "orders" was dropped`)
		_, err = reg.Next(t.Context())
		require.ErrorIs(t, err, space.ErrDropped)
		require.ErrorIs(t, tx.Commit(t.Context()), space.ErrTxnEnded)
		if durability != node.Memory {
			awaitRemoved(t, dir, "orders")
		}

		count, err := space.Count(t.Context(), c, parcel{})
		require.NoError(t, err)
		require.Zero(t, count)
		require.Equal(t, []string{"default"}, n.Names())
		require.ErrorIs(t, c2.DropSpace(t.Context(), "orders", false), space.ErrNoMatch)
		type parcel struct{ ID string } // of another class
		_, err = space.Write(t.Context(), c, parcel{"a new space"})
		require.NoError(t, err)
	}
}

func TestDrop_IsRefused(t *testing.T) {
	t.Parallel()
	n := running(t, node.Config{Data: t.TempDir()})
	c := dial(t, n, "default")
	require.ErrorIs(t, c.DropSpace(t.Context(), "default", false), space.ErrInvalidArgument)
	require.ErrorContains(t, c.DropSpace(t.Context(), "default", false), "programs that name no space use it")

	sp := c.SpaceNamed("orders")
	tx, err := space.Begin(t.Context(), c)
	require.NoError(t, err)
	_, err = space.Write(t.Context(), sp, parcel{1}, space.In(tx))
	require.NoError(t, err)
	err = c.DropSpace(t.Context(), "orders", false)
	require.ErrorIs(t, err, space.ErrInvalidArgument)
	require.ErrorContains(t, err, "transactions over several spaces")
	require.ErrorContains(t, c.DropSpace(t.Context(), "orders", true), "there are no tables to drop")
	require.NoError(t, tx.Commit(t.Context()))
	_, err = space.Take(t.Context(), sp, parcel{})
	require.NoError(t, err)
}

// A dropped space is gone after a restart, and is not reported as lost; one of the same name is a new one.
func TestDrop_OutlastsARestart(t *testing.T) {
	t.Parallel()
	cfg := node.Config{Data: t.TempDir()}
	n := open(t, cfg)
	c := dial(t, n, "orders")
	_, err := space.Write(t.Context(), c, parcel{1})
	require.NoError(t, err)
	_, err = c.Snapshot(t.Context())
	require.NoError(t, err)
	before := statusOfSpace(t, n, "orders").Log.Incarnation
	require.NoError(t, c.DropSpace(t.Context(), "orders", false))
	require.NoError(t, c.Close())
	require.NoError(t, n.Close(t.Context()))
	_, err = os.Stat(filepath.Join(cfg.Data, "snapshots", "orders-0"))
	require.ErrorIs(t, err, os.ErrNotExist)

	n = running(t, cfg)
	require.Equal(t, []string{"default"}, n.Names())
	c = dial(t, n, "orders")
	_, err = space.Write(t.Context(), c, parcel{2})
	require.NoError(t, err)
	require.NotEqual(t, before, statusOfSpace(t, n, "orders").Log.Incarnation)
	got, err := space.Take(t.Context(), c, parcel{})
	require.NoError(t, err)
	require.Equal(t, parcel{2}, got)
}

// A drop that is refused changes nothing for calls that wait in the space.
func TestDrop_RefusedDisturbsNoCalls(t *testing.T) {
	t.Parallel()
	n := running(t, node.Config{Durability: node.Memory})
	waiting, c := dial(t, n, "orders"), dial(t, n, "default")
	_, err := space.Write(t.Context(), waiting, parcel{1})
	require.NoError(t, err)
	type taken struct {
		parcel parcel
		err    error
	}
	took := make(chan taken, 1)
	go func() {
		p, err := space.Take(t.Context(), waiting, parcel{2})
		took <- taken{p, err}
	}()
	require.Eventually(t, func() bool { return statusOfSpace(t, n, "orders").Waiting == 1 }, time.Minute,
		time.Millisecond)
	tx, err := space.Begin(t.Context(), c)
	require.NoError(t, err)
	_, err = space.Write(t.Context(), c.SpaceNamed("orders"), parcel{2}, space.In(tx))
	require.NoError(t, err)
	require.ErrorIs(t, c.DropSpace(t.Context(), "orders", false), space.ErrInvalidArgument)
	require.Equal(t, 1, statusOfSpace(t, n, "orders").Waiting)
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, taken{parcel: parcel{2}}, <-took)
}

// Every call ends, in one of the ways that are documented, while its space is dropped and made again without a pause by
// transactions of another space.
func TestDrop_AmidCallsAndTransactions(t *testing.T) {
	t.Parallel()
	for _, durability := range []string{node.Memory, node.Logged} {
		t.Run(durability, func(t *testing.T) {
			t.Parallel()
			n := running(t, node.Config{Data: t.TempDir(), Durability: durability})
			taker, writer, dropper := dial(t, n, "d"), dial(t, n, "e"), dial(t, n, "default")
			ctx, stop := context.WithCancel(t.Context())
			var others sync.WaitGroup
			others.Go(func() {
				for i := 1; ctx.Err() == nil; i++ {
					writeUnderAnother(t, writer, parcel{i})
				}
			})
			others.Go(func() {
				for ctx.Err() == nil {
					err := dropper.DropSpace(t.Context(), "d", false)
					requireOneOf(t, err, nil, space.ErrNoMatch, space.ErrInvalidArgument)
				}
			})
			for range 200 {
				_, err := space.Take(t.Context(), taker, parcel{}, space.Wait(time.Millisecond))
				requireOneOf(t, err, nil, space.ErrNoMatch, space.ErrDropped)
			}
			stop()
			others.Wait()
		})
	}
}

// writeUnderAnother writes p to space "d" under a transaction that begins in the space of c.
func writeUnderAnother(t *testing.T, c *client.Client, p parcel) {
	tx, err := space.Begin(t.Context(), c)
	requireOneOf(t, err, nil)
	_, err = space.Write(t.Context(), c.SpaceNamed("d"), p, space.In(tx))
	requireOneOf(t, err, nil, space.ErrDropped)
	if err != nil {
		requireOneOf(t, tx.Abort(t.Context()), nil)
		return
	}
	requireOneOf(t, tx.Commit(t.Context()), nil)
}

// requireOneOf reports an error that is none of those expected, from any goroutine.
func requireOneOf(t *testing.T, err error, expected ...error) {
	if !slices.ContainsFunc(expected, func(e error) bool { return errors.Is(err, e) }) {
		t.Errorf("unexpected error: %v", err)
	}
}

// A space whose files have vanished, so that it is not served any more, can be dropped at once.
func TestDrop_FilesHaveVanished(t *testing.T) {
	t.Parallel()
	cfg := node.Config{Data: t.TempDir()}
	n := open(t, cfg)
	c, c2 := dial(t, n, "orders"), dial(t, n, "default")
	_, err := space.Write(t.Context(), c, parcel{1})
	require.NoError(t, err)
	for _, path := range whatIsLeft(t, cfg.Data, "orders") {
		require.NoError(t, os.RemoveAll(path))
	}
	written := error(nil)
	for written == nil {
		_, written = space.Write(t.Context(), c, parcel{2})
	}
	if !errors.Is(written, space.ErrUnavailable) { // the node has noticed during that write
		require.ErrorIs(t, written, space.ErrOutcomeUnknown)
	}
	require.NoError(t, c2.DropSpace(t.Context(), "orders", false))
	_, err = space.Write(t.Context(), c, parcel{3})
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.NoError(t, n.Close(t.Context()))

	n = running(t, cfg)
	c = dial(t, n, "orders")
	got, err := space.TakeAll(t.Context(), c, parcel{}, 1<<20)
	require.NoError(t, err)
	require.NotContains(t, got, parcel{1})
	require.Contains(t, got, parcel{3})
}
