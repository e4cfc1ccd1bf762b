package cluster

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// follow returns the state after some commands, none of which is refused.
func follow(t *testing.T, commands ...*Command) *State {
	t.Helper()
	s := &State{}
	for i, c := range commands {
		var err error
		s, err = s.next(uint64(i+1), c)
		require.NoError(t, err, i)
	}
	return s
}

func join(name, zone string) *Command {
	return &Command{Join: &Joined{name, Node{Addr: name + ":1", Zone: zone}}}
}

func TestState_SpacesComeAndGo(t *testing.T) {
	t.Parallel()
	placed := []Partition{{Nodes: []string{"a", "b", "c"}}}
	made := follow(t, join("a", ""), join("b", ""), join("c", ""),
		&Command{Create: &Created{"jobs", "x", placed}}, &Command{Made: &NamedSpace{"jobs", "x"}})
	require.Equal(t, &Space{Incarnation: "x", Partitions: placed, Made: true}, made.Spaces["jobs"])
	require.EqualValues(t, 5, made.Position)

	same, err := made.next(6, &Command{Create: &Created{"jobs", "y", placed}})
	require.ErrorIs(t, err, ErrExists)
	require.Equal(t, made.Spaces, same.Spaces)
	require.EqualValues(t, 6, same.Position, "a refused command has a place in the log, too")

	_, err = made.next(6, &Command{Drop: &NamedSpace{"jobs", "other"}})
	require.ErrorIs(t, err, ErrNoSpace)
	dropped, err := made.next(6, &Command{Drop: &NamedSpace{"jobs", "x"}})
	require.NoError(t, err)
	require.True(t, dropped.Spaces["jobs"].Dropped)
	require.False(t, made.Spaces["jobs"].Dropped, "states do not change")
	gone, err := dropped.next(7, &Command{Remove: &NamedSpace{"jobs", "x"}})
	require.NoError(t, err)
	require.Empty(t, gone.Spaces)
}

func TestState_NodesComeAndGo(t *testing.T) {
	t.Parallel()
	s := follow(t, join("a", ""), join("b", ""), &Command{Create: &Created{"jobs", "x", []Partition{{Nodes: []string{"a"}}}}},
		&Command{Drain: &Drained{"b", true}}, join("b", "z1"))
	require.Equal(t, Node{Addr: "b:1", Zone: "z1", Drained: true}, s.Nodes["b"], "a node that is drained stays so when it restarts")
	_, err := s.next(9, &Command{Forget: &NamedNode{"a"}})
	require.ErrorIs(t, err, ErrNoNode, "it has a replica")
	_, err = s.next(9, &Command{Forget: &NamedNode{"z"}})
	require.ErrorIs(t, err, ErrNoNode)
	s, err = s.next(9, &Command{Forget: &NamedNode{"b"}})
	require.NoError(t, err)
	require.NotContains(t, s.Nodes, "b")
}

func TestState_PreferPutsANodeFirst(t *testing.T) {
	t.Parallel()
	s := follow(t, &Command{Create: &Created{"jobs", "x", []Partition{{Nodes: []string{"a", "b", "c"}}}}},
		&Command{Prefer: &Preferred{"jobs", 0, "c"}})
	require.Equal(t, []string{"c", "a", "b"}, s.Spaces["jobs"].Partitions[0].Nodes)
	_, err := s.next(3, &Command{Prefer: &Preferred{"jobs", 0, "d"}})
	require.ErrorIs(t, err, ErrNoNode)
	_, err = s.next(3, &Command{Prefer: &Preferred{"jobs", 1, "c"}})
	require.ErrorIs(t, err, ErrNoSpace)
}

func TestState_UnknownCommandsAreRefused(t *testing.T) {
	t.Parallel()
	var c Command
	require.NoError(t, json.Unmarshal([]byte(`{"novel":{"name":"x"}}`), &c))
	_, err := new(State).next(1, &c)
	require.ErrorIs(t, err, ErrCommand)
}

func TestState_ResetIsTheWholeState(t *testing.T) {
	t.Parallel()
	s := follow(t, join("a", ""), &Command{Create: &Created{"jobs", "x", []Partition{{Nodes: []string{"a"}}}}})
	again, err := new(State).next(3, &Command{Reset: s})
	require.NoError(t, err)
	s.Position = 3
	require.Equal(t, s, again)
}

// members returns a state with some nodes in each of some zones; "" is no zone.
func members(zones map[string]int) *State {
	s := &State{Nodes: map[string]Node{}, Spaces: map[string]*Space{}}
	for zone, n := range zones {
		for i := range n {
			s.Nodes[fmt.Sprintf("n%s%d", zone, i)] = Node{Zone: zone}
		}
	}
	return s
}

func TestPlace_SpreadsReplicasAndPrimaries(t *testing.T) {
	t.Parallel()
	s := members(map[string]int{"": 6})
	leads, has := map[string]int{}, map[string]int{}
	for _, p := range place(s, "jobs", 120, 3) {
		require.Len(t, p.Nodes, 3)
		leads[p.Nodes[0]]++
		for _, n := range p.Nodes {
			has[n]++
		}
	}
	for name := range s.Nodes {
		require.InDelta(t, 20, leads[name], 4, "primaries at %s", name)
		require.InDelta(t, 60, has[name], 25, "replicas at %s", name)
	}
}

func TestPlace_TakesDifferentZones(t *testing.T) {
	t.Parallel()
	s := members(map[string]int{"x": 5, "y": 1, "z": 2})
	for _, p := range place(s, "jobs", 50, 3) {
		zones := map[string]bool{}
		for _, n := range p.Nodes {
			zones[s.Nodes[n].Zone] = true
		}
		require.Len(t, zones, 3, p.Nodes)
	}
	for _, p := range place(members(map[string]int{"x": 2, "y": 1}), "jobs", 10, 3) {
		require.Len(t, p.Nodes, 3, "two zones must do if there are no more")
	}
}

func TestPlace_ChangesLittleWhenANodeJoins(t *testing.T) {
	t.Parallel()
	s := members(map[string]int{"": 5})
	before := place(s, "jobs", 100, 3)
	s.Nodes["new"] = Node{}
	moved := 0
	for i, p := range place(s, "jobs", 100, 3) {
		was := map[string]bool{}
		for _, n := range before[i].Nodes {
			was[n] = true
		}
		for _, n := range p.Nodes {
			if !was[n] {
				require.Equal(t, "new", n)
				moved++
			}
		}
	}
	require.InDelta(t, 50, moved, 25)
}
