package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/txn"
)

var jobs = txn.Address{Space: "jobs"}

// newSight returns the Sight of node a, which has heard itself n times, in a cluster that has the space of jobs.
func newSight(n int) *Sight {
	s := NewSight("a", Timings(1))
	state := &State{Spaces: map[string]*Space{jobs.Space: {}}}
	s.state = func() *State { return state }
	hearSelf(s, n)
	return s
}

func hearSelf(s *Sight, n int) {
	for range n {
		s.Hear(&Beat{Node: "a"})
	}
}

func TestSight_TimeIsToldInOwnBeats(t *testing.T) {
	t.Parallel()
	s := newSight(1)
	s.Hear(&Beat{Node: "b"})
	require.True(t, s.Alive("b"))
	require.True(t, s.Alive("a"))
	hearSelf(s, 3)
	require.True(t, s.Alive("b"))
	require.Equal(t, []string{"a", "b"}, s.Living())
	hearSelf(s, 1)
	require.False(t, s.Alive("b"))
	require.Equal(t, []string{"a"}, s.Living())
	s.Hear(&Beat{Node: "b"})
	require.True(t, s.Alive("b"))
	require.False(t, s.Alive("c"), "it was never heard")
}

func TestSight_ServedByTheNewestEpoch(t *testing.T) {
	t.Parallel()
	s := newSight(1)
	_, ok := s.Served(jobs)
	require.False(t, ok)
	s.Hear(&Beat{Node: "b", Addr: "b:1", Parts: []Part{{At: jobs, Epoch: 5}}})
	s.Hear(&Beat{Node: "c", Addr: "c:1", Parts: []Part{{At: jobs, Epoch: 9}}})
	s.Hear(&Beat{Node: "b", Addr: "b:1", Parts: []Part{{At: jobs, Epoch: 5}}}) // replaced, and does not know it yet
	place, ok := s.Served(jobs)
	require.True(t, ok)
	require.Equal(t, Place{"c", "c:1", 0, 9}, place)

	// A node that is up and does not serve does not own.
	for range 4 {
		hearSelf(s, 1)
		s.Hear(&Beat{Node: "c", Addr: "c:1", Parts: []Part{{At: jobs}}})
		s.Hear(&Beat{Node: "b", Addr: "b:1", Parts: []Part{{At: jobs, Epoch: 5}}})
	}
	_, ok = s.Served(jobs)
	require.False(t, ok)
	require.Equal(t, Timings(1).Suspect, s.Unserved(jobs))
	require.True(t, s.Alive("c"))
}

func TestSight_ControlsCountsTheLivingOnly(t *testing.T) {
	t.Parallel()
	s := newSight(1)
	s.Hear(&Beat{Node: "a", Control: 7})
	s.Hear(&Beat{Node: "b", Control: 6})
	require.True(t, s.Controls(6))
	require.False(t, s.Controls(7))
	for range 4 {
		s.Hear(&Beat{Node: "a", Control: 7})
	}
	require.True(t, s.Controls(7))
}

// The log of a space that takes the name of one that was dropped begins anew: its epochs are lower.
func TestSight_SpaceIsCreatedAgain(t *testing.T) {
	t.Parallel()
	state := &State{Spaces: map[string]*Space{"jobs": {Created: 3}}}
	s := newSight(1)
	s.state = func() *State { return state }
	beat := func(created, epoch uint64) {
		s.Hear(&Beat{Node: "b", Addr: "b:1", Parts: []Part{{At: jobs, Created: created, Epoch: epoch, Position: 100}}})
	}
	serves := func() Place {
		place, ok := s.Served(jobs)
		require.Equal(t, ok, place.Epoch > 0)
		require.Equal(t, place.Epoch, s.Newest(jobs))
		return place
	}
	beat(3, 80)
	require.Equal(t, Place{"b", "b:1", 3, 80}, serves())

	state = &State{}
	require.Zero(t, serves(), "it was dropped")
	state = &State{Spaces: map[string]*Space{"jobs": {Created: 9}}}
	require.Zero(t, serves())
	_, known := s.Part("b", jobs)
	require.False(t, known, "its replica is of the old space")

	beat(9, 1)
	require.Equal(t, Place{"b", "b:1", 9, 1}, serves())
	beat(3, 81)
	require.Equal(t, Place{"b", "b:1", 9, 1}, serves(), "of a node that does not know it yet")

	state = &State{}
	hearSelf(s, 3)
	require.NotEmpty(t, s.served)
	hearSelf(s, 1)
	require.Empty(t, s.served, "nothing is kept of spaces that are gone")
}

// A connection between two nodes may be cut, in one direction or both, while both hear all others.
func TestSight_UnheardNodes(t *testing.T) {
	t.Parallel()
	s := newSight(1)
	hear := func(node string, hears ...string) { s.Hear(&Beat{Node: node, Hears: hears}) }
	all := []string{"a", "b", "c"}
	hear("b", all...)
	hear("c", all...)
	require.Empty(t, s.Unheard())
	hear("b", "a", "b")
	require.Equal(t, map[string][]string{"b": {"c"}}, s.Unheard(), "c hears b")
	hear("c", "a", "c")
	require.Equal(t, map[string][]string{"b": {"c"}, "c": {"b"}}, s.Unheard())
	for range 4 {
		hearSelf(s, 1)
		hear("b", "a", "b", "c")
	}
	require.Equal(t, map[string][]string{"a": {"c"}}, s.Unheard(), "this node does not hear it")
	hear("b", "a", "b")
	require.Empty(t, s.Unheard(), "c is silent")
}
