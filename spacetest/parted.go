package spacetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/space"
)

// Parted is a client's space of several partitions. It cannot tell how many calls wait, since one may wait in several.
type Parted struct {
	*client.Space
	neighbor func(name string) space.Space
}

// DialParted returns a client's space that has that many partitions, and makes it if need be.
func (s *ServerHandle) DialParted(tb testing.TB, partitions int) *Parted {
	tb.Helper()
	c := s.Dial(tb)
	require.NoError(tb, c.CreateSpace(tb.Context(), "parted", client.Partitions(partitions)))
	return &Parted{c.SpaceNamed("parted"), func(name string) space.Space { return c.SpaceNamed(name) }}
}

// Neighbor implements Neighbor.
func (p *Parted) Neighbor(name string) space.Space { return p.neighbor(name) }

// Scattered implements Scattered.
func (p *Parted) Scattered() {}

// Scattered is implemented by spaces of several partitions. Cases that are about what holds in one partition only
// (semantics 10) are left out: the order of entries and events over partitions, answers that are true of all of them at
// one instant, limits of one call, and deadlocks and attempts of transactions that are in several.
type Scattered interface{ Scattered() }

// needOnePartition skips a case that a space of several partitions does not promise.
func (k *kit) needOnePartition() {
	k.Helper()
	if _, ok := k.sp.(Scattered); ok {
		k.Skip("this holds in each partition only")
	}
}
