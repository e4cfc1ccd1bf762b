package cluster

import (
	"encoding/json"
	"fmt"
	"slices"
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
	require.Equal(t, &Space{Incarnation: "x", Created: 4, Partitions: placed, Phase: Existing}, made.Spaces["jobs"])
	require.EqualValues(t, 5, made.Position)

	same, err := made.next(6, &Command{Create: &Created{"jobs", "y", placed}})
	require.ErrorIs(t, err, ErrExists)
	require.Equal(t, made.Spaces, same.Spaces)
	require.EqualValues(t, 6, same.Position, "a refused command has a place in the log, too")

	_, err = made.next(6, &Command{Drop: &ToDrop{NamedSpace: NamedSpace{"jobs", "other"}}})
	require.ErrorIs(t, err, ErrNoSpace)
	dropped, err := made.next(6, &Command{Drop: &ToDrop{NamedSpace{"jobs", "x"}, 30}})
	require.NoError(t, err)
	require.Equal(t, Removing, dropped.Spaces["jobs"].Phase)
	require.Equal(t, Existing, made.Spaces["jobs"].Phase, "states do not change")
	gone, err := dropped.next(7, &Command{Remove: &NamedSpace{"jobs", "x"}})
	require.NoError(t, err)
	require.Empty(t, gone.Spaces)
	require.EqualValues(t, 30, gone.Highest, "the numbers of a dropped space are remembered")
	again, err := gone.next(8, &Command{Create: &Created{"jobs", "z", placed}})
	require.NoError(t, err)
	lower, err := again.next(9, &Command{Drop: &ToDrop{NamedSpace{"jobs", "z"}, 20}})
	require.NoError(t, err)
	require.EqualValues(t, 30, lower.Highest)
}

func TestState_NodesComeAndGo(t *testing.T) {
	t.Parallel()
	s := follow(t, join("a", ""), join("b", ""),
		&Command{Create: &Created{"jobs", "x", []Partition{{Nodes: []string{"a"}}}}},
		&Command{Drain: &Drained{Name: "b", Duty: Follows}}, join("b", "z1"))
	require.Equal(t, Node{Addr: "b:1", Zone: "z1", Duty: Follows}, s.Nodes["b"],
		"a node that is drained stays so when it restarts")
	_, err := s.next(9, &Command{Forget: &NamedNode{"a"}})
	require.ErrorIs(t, err, ErrNeeded, "it has a replica")
	_, err = s.next(9, &Command{Forget: &NamedNode{"z"}})
	require.ErrorIs(t, err, ErrNoNode)
	s, err = s.next(9, &Command{Forget: &NamedNode{"b"}})
	require.NoError(t, err)
	require.NotContains(t, s.Nodes, "b")
}

func TestState_PartitionsMove(t *testing.T) {
	t.Parallel()
	s := follow(t, join("a", ""), join("b", ""), join("c", ""), join("d", ""),
		&Command{Create: &Created{"jobs", "x", []Partition{{Nodes: []string{"a", "b", "c"}}}}},
		&Command{Move: &Move{Name: "jobs", Partition: 0, To: []string{"c", "a", "b"}}})
	require.Equal(t, Partition{Nodes: []string{"a", "b", "c"}, Target: []string{"c", "a", "b"}},
		s.Spaces["jobs"].Partitions[0], "it has not ended before c leads")
	s, err := s.next(6, &Command{Settle: &Settled{"jobs", 0, []string{"c", "a", "b"}}})
	require.NoError(t, err)

	s, err = s.next(7, &Command{Move: &Move{Name: "jobs", Partition: 0, To: []string{"d", "a", "b"}}})
	require.NoError(t, err)
	p := s.Spaces["jobs"].Partitions[0]
	require.Equal(t, Partition{Nodes: []string{"c", "a", "b"}, Target: []string{"d", "a", "b"}}, p)
	require.True(t, p.Has("c") && p.Has("d"))
	require.Equal(t, []string{"d", "a", "b", "c"}, p.Ranked())
	_, err = s.next(8, &Command{Forget: &NamedNode{"d"}})
	require.ErrorIs(t, err, ErrNeeded)
	back, err := s.next(8, &Command{Move: &Move{Name: "jobs", Partition: 0, To: []string{"a", "b", "c"}}})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, back.Spaces["jobs"].Partitions[0].Target, "the log may be on d")

	_, err = s.next(8, &Command{Settle: &Settled{"jobs", 0, []string{"a", "b", "c"}}})
	require.ErrorIs(t, err, ErrMove)
	settled, err := s.next(8, &Command{Settle: &Settled{"jobs", 0, []string{"d", "a", "b"}}})
	require.NoError(t, err)
	require.Equal(t, Partition{Nodes: []string{"d", "a", "b"}}, settled.Spaces["jobs"].Partitions[0])
	require.NotEmpty(t, s.Spaces["jobs"].Partitions[0].Target, "states do not change")

	for _, wrong := range []struct {
		to  []string
		err error
	}{
		{nil, ErrMove},
		{[]string{"a", "b"}, ErrMove},
		{[]string{"a", "b", "a"}, ErrMove},
		{[]string{"a", "b", "z"}, ErrNoNode},
	} {
		_, err = s.next(8, &Command{Move: &Move{Name: "jobs", Partition: 0, To: wrong.to}})
		require.ErrorIs(t, err, wrong.err)
	}
	_, err = s.next(8, &Command{Move: &Move{Name: "jobs", Partition: 1, To: []string{"a"}}})
	require.ErrorIs(t, err, ErrNoSpace)
}

// A move under way to a node that is drained, and may be lost, goes elsewhere: to a node that has a replica, or else to
// the living one that has fewest. Without one it stays, and another node is to lead.
func TestState_DrainDivertsMoves(t *testing.T) {
	t.Parallel()
	moving := func(to ...string) *State {
		return follow(t, join("a", ""), join("b", ""), join("c", ""), join("d", ""), join("e", ""), join("f", ""),
			&Command{Create: &Created{"jobs", "x", []Partition{
				{Nodes: []string{"a", "b", "c"}}, {Nodes: []string{"d", "e"}},
			}}},
			&Command{Move: &Move{Name: "jobs", To: to}})
	}
	drain := func(s *State, node string, duty Duty, silent ...string) *State {
		s, err := s.next(s.Position+1, &Command{Drain: &Drained{node, duty, silent}})
		require.NoError(t, err)
		return s
	}
	target := func(s *State) []string { return s.Spaces["jobs"].Partitions[0].Target }

	s := drain(moving("d", "b", "c"), "c", Leaves)
	require.Equal(t, []string{"d", "b", "a"}, target(s), "a has a replica")
	s = drain(s, "d", Leaves)
	require.Equal(t, []string{"f", "b", "a"}, target(s), "f has none, and e has one")
	require.Equal(t, []string{"e", "b", "a"}, target(drain(s, "f", Leaves)),
		"it need not be one that the partition has")
	s = drain(s, "f", Leaves, "e")
	require.Equal(t, []string{"b", "f", "a"}, target(s), "e is silent")

	require.Equal(t, []string{"b", "a", "c"}, target(drain(moving("a", "b", "c"), "a", Follows)),
		"it keeps its replica")
	require.Equal(t, []string{"b", "c", "a"}, target(drain(moving("b", "c", "d"), "d", Follows)), "it has none yet")
}

// No move names a drained node, also one that has a replica: its replica is about to leave. A move by which the cluster
// spreads replicas may leave it where it is.
func TestState_NothingMovesToADrainedNode(t *testing.T) {
	t.Parallel()
	s := follow(t, join("a", ""), join("b", ""), join("c", ""), join("d", ""), join("e", ""),
		&Command{Create: &Created{"jobs", "x", []Partition{{Nodes: []string{"a", "b", "c"}}}}},
		&Command{Drain: &Drained{Name: "b", Duty: Leaves}}, &Command{Drain: &Drained{Name: "d", Duty: Leaves}},
		&Command{Drain: &Drained{Name: "c", Duty: Follows}})
	move := func(balances bool, to ...string) error {
		_, err := s.next(s.Position+1, &Command{Move: &Move{"jobs", 0, to, balances}})
		return err
	}
	for _, to := range [][]string{{"a", "b", "c"}, {"a", "d", "c"}, {"c", "a", "e"}} {
		require.ErrorIs(t, move(false, to...), ErrMove)
	}
	require.ErrorContains(t, move(false, "a", "b", "c"), `node "b" is drained: name one that is not`)
	require.ErrorContains(t, move(false, "c", "a", "e"), `node "c" is drained, and leads nothing at present`)
	require.NoError(t, move(false, "a", "e", "c"))
	require.NoError(t, move(true, "e", "b", "c"))
	require.ErrorIs(t, move(true, "e", "d", "c"), ErrMove)
}

func TestState_UnknownCommandsAreRefused(t *testing.T) {
	t.Parallel()
	var c Command
	require.NoError(t, json.Unmarshal([]byte(`{"novel":{"name":"x"}}`), &c))
	_, err := new(State).next(1, &c)
	require.ErrorIs(t, err, ErrCommand)
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

// steps returns the moves that a state needs until nothing is to be moved any more.
func steps(t *testing.T, s *State) (moves []Move) {
	t.Helper()
	for len(moves) < 1000 {
		m := nextMove(s)
		if m == nil {
			return moves
		}
		moves = append(moves, *m)
		var err error
		s, err = s.next(s.Position+1, &Command{Move: m})
		require.NoError(t, err)
		if s.Spaces[m.Name].Partitions[m.Partition].Target != nil {
			s, err = s.next(s.Position+1, &Command{Settle: &Settled{m.Name, m.Partition, m.To}})
			require.NoError(t, err)
		}
		for _, p := range s.Spaces["jobs"].Partitions {
			require.Len(t, p.Nodes, 3)
		}
	}
	t.Fatal("it goes on for ever")
	return nil
}

// placeJobs returns a state in which a space of 12 partitions has been made.
func placeJobs(t *testing.T, s *State) *State {
	t.Helper()
	for _, c := range []*Command{
		{Create: &Created{"jobs", "x", place(s, "jobs", 12, 3)}}, {Made: &NamedSpace{"jobs", "x"}},
	} {
		var err error
		s, err = s.next(s.Position+1, c)
		require.NoError(t, err)
	}
	return s
}

// placedOn returns a state with 12 partitions on three nodes.
func placedOn(t *testing.T, more ...string) *State {
	t.Helper()
	s := follow(t, join("a", ""), join("b", ""), join("c", ""))
	s = placeJobs(t, s)
	var err error
	for _, name := range more {
		s, err = s.next(s.Position+1, join(name, ""))
		require.NoError(t, err)
	}
	return s
}

func TestNextMove_NothingToDo(t *testing.T) {
	t.Parallel()
	require.Empty(t, steps(t, placedOn(t)))
}

func TestNextMove_GivesANewNodeItsShare(t *testing.T) {
	t.Parallel()
	s := placedOn(t, "d")
	moves := steps(t, s)
	require.Greater(t, len(moves), 9, "36 replicas on four nodes are nine each; then primaries")
	for _, m := range moves {
		require.Contains(t, m.To, "d")
	}
}

func TestNextMove_TakesAllFromANodeThatLeaves(t *testing.T) {
	t.Parallel()
	s := placedOn(t, "d")
	s, err := s.next(s.Position+1, &Command{Drain: &Drained{Name: "a", Duty: Leaves}})
	require.NoError(t, err)
	for i, m := range steps(t, s) {
		if i < 12 {
			require.NotContains(t, m.To, "a")
		}
		require.NotEqual(t, "a", m.To[0])
	}
	s = placedOn(t)
	s, err = s.next(s.Position+1, &Command{Drain: &Drained{Name: "a", Duty: Leaves}})
	require.NoError(t, err)
	for _, m := range steps(t, s) {
		require.Contains(t, m.To, "a", "there is nowhere to go")
		require.NotEqual(t, "a", m.To[0])
	}
}

// The only node of a zone can be drained, too: its replicas go to another zone, although fewer zones have one then.
func TestNextMove_TakesAllFromTheOnlyNodeOfAZone(t *testing.T) {
	t.Parallel()
	s := placeJobs(t, follow(t, join("a", "x"), join("b", "y"), join("c", "z"), join("d", "x")))
	s, err := s.next(s.Position+1, &Command{Drain: &Drained{Name: "c", Duty: Leaves}})
	require.NoError(t, err)
	left := map[int]bool{}
	for _, m := range steps(t, s) {
		left[m.Partition] = !slices.Contains(m.To, "c")
	}
	require.Len(t, left, len(s.Spaces["jobs"].Partitions))
	for partition, gone := range left {
		require.True(t, gone, partition)
	}
}

func TestNextMove_KeepsZonesApart(t *testing.T) {
	t.Parallel()
	s := follow(t, join("a", "x"), join("b", "y"), join("c", "z"))
	s = placeJobs(t, s)
	var err error
	s, err = s.next(5, join("d", "x"))
	require.NoError(t, err)
	moved := 0
	for _, m := range steps(t, s) {
		zones := map[string]bool{}
		for _, n := range m.To {
			zones[s.Nodes[n].Zone] = true
		}
		require.Len(t, zones, 3)
		if !slices.Contains(m.To, "a") {
			moved++
		}
	}
	require.GreaterOrEqual(t, moved, 6, "a and d share what is in their zone")
}

// A space that is to be filled takes the place of another once that is removed, and is served when all are filled.
func TestState_ASpaceIsFilledInThePlaceOfAnother(t *testing.T) {
	t.Parallel()
	s, position := &State{}, uint64(0)
	do := func(c *Command) error {
		position++
		next, err := s.next(position, c)
		s = next
		return err
	}
	on := []Partition{{Nodes: []string{"a", "b", "c"}}}
	fill := func(name, incarnation, from string) *Command {
		return &Command{Fill: &ToFill{Created{name, incarnation, on}, from}}
	}
	jobs := func() *Space { return s.Spaces["jobs"] }
	require.NoError(t, do(&Command{Create: &Created{"jobs", "one", on}}))
	require.NoError(t, do(&Command{Made: &NamedSpace{"jobs", "one"}}))
	require.Equal(t, Present, jobs().stage("x"))
	require.ErrorIs(t, do(&Command{Filled: &NamedSpace{"jobs", "two"}}), ErrNoSpace)
	for range 2 { // it may be carried out twice
		require.NoError(t, do(fill("jobs", "two", "x")))
		require.Equal(t, Removing, jobs().Phase)
		require.Equal(t, "one", jobs().Incarnation)
		require.Equal(t, Begun, jobs().stage("x"))
	}
	require.ErrorIs(t, do(fill("jobs", "three", "y")), ErrExists, "it is filled with x")
	require.NoError(t, do(&Command{Made: &NamedSpace{"jobs", "one"}}))
	require.Equal(t, Removing, jobs().Phase)
	require.NoError(t, do(&Command{Remove: &NamedSpace{"jobs", "one"}}))
	for range 2 {
		require.NoError(t, do(fill("jobs", "two", "x")))
		require.Equal(t, "two", jobs().Incarnation)
	}
	require.Equal(t, Making, jobs().Phase)
	require.True(t, jobs().Unfinished())
	require.ErrorIs(t, do(&Command{Filled: &NamedSpace{"jobs", "two"}}), ErrNoSpace, "there are no logs yet")
	for range 2 {
		require.NoError(t, do(&Command{Made: &NamedSpace{"jobs", "two"}}))
		require.Equal(t, Filling, jobs().Phase)
	}
	require.ErrorIs(t, do(fill("jobs", "three", "y")), ErrExists, "it is filled with x")
	require.NoError(t, do(fill("jobs", "three", "x")), "it begins anew")
	require.ErrorIs(t, do(&Command{Filled: &NamedSpace{"jobs", "two"}}), ErrNoSpace)
	require.NoError(t, do(&Command{Remove: &NamedSpace{"jobs", "two"}}))
	require.NoError(t, do(&Command{Made: &NamedSpace{"jobs", "three"}}))
	open := &Command{Open: &Source{"x", []string{"jobs", "new"}}}
	for range 2 {
		require.NoError(t, do(&Command{Filled: &NamedSpace{"jobs", "three"}}))
		require.Equal(t, Filled, jobs().Phase)
		require.Equal(t, Complete, jobs().stage("x"))
		require.Equal(t, Elsewhere, jobs().stage("y"))
		require.ErrorIs(t, do(open), ErrNoSpace, "the other one is missing")
	}
	require.ErrorIs(t, do(fill("jobs", "four", "x")), ErrExists, "it is filled")
	require.NoError(t, do(fill("new", "one", "x")))
	require.NoError(t, do(&Command{Made: &NamedSpace{"new", "one"}}))
	require.ErrorIs(t, do(open), ErrNoSpace, "the other one is not filled")
	require.NoError(t, do(&Command{Filled: &NamedSpace{"new", "one"}}))
	require.ErrorIs(t, do(&Command{Open: &Source{"y", []string{"jobs"}}}), ErrNoSpace)
	for range 2 {
		require.NoError(t, do(open))
		require.False(t, jobs().Unfinished())
		require.Equal(t, Complete, jobs().stage("x"), "the other command may have been interrupted now")
		require.ErrorIs(t, do(fill("jobs", "four", "x")), ErrExists)
	}
	for range 2 {
		require.NoError(t, do(&Command{Finish: &Source{From: "x"}}))
		require.Equal(t, Existing, jobs().Phase)
		require.Equal(t, Present, jobs().stage("x"))
		require.Equal(t, Present, s.Spaces["new"].stage("x"))
	}
	require.Equal(t, Absent, s.Spaces["old"].stage("x"))
}

// What is being filled can be dropped, and then be filled with something else.
func TestState_FillingIsGivenUp(t *testing.T) {
	t.Parallel()
	on := []Partition{{Nodes: []string{"a", "b", "c"}}}
	s := follow(t, &Command{Fill: &ToFill{Created{"jobs", "one", on}, "x"}},
		&Command{Drop: &ToDrop{NamedSpace: NamedSpace{"jobs", "one"}}},
		&Command{Fill: &ToFill{Created{"jobs", "two", on}, "y"}},
		&Command{Remove: &NamedSpace{"jobs", "one"}})
	require.Equal(t, "y", s.Spaces["jobs"].From)
}

// Clients are told of changes of the nodes and their addresses, and of nothing else.
func TestState_KnowsWhenNodesChange(t *testing.T) {
	t.Parallel()
	s := follow(t, join("a", ""), join("b", ""),
		&Command{Create: &Created{"jobs", "x", []Partition{{Nodes: []string{"a"}}}}}, join("a", "z1"),
		&Command{Drain: &Drained{Name: "b", Duty: Leaves}})
	require.EqualValues(t, 2, s.NodesAt)
	moved, err := s.next(6, &Command{Join: &Joined{"a", Node{Addr: "a:2"}}})
	require.NoError(t, err)
	require.EqualValues(t, 6, moved.NodesAt)
	fewer, err := moved.next(7, &Command{Forget: &NamedNode{"b"}})
	require.NoError(t, err)
	require.EqualValues(t, 7, fewer.NodesAt)
}
