package cluster

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func joinFrom(name, folder string) *Command {
	return &Command{Join: &Joined{name, Node{Addr: name + ":1", Folder: folder}}}
}

func TestState_ReplacedFolderIsRefusedForEver(t *testing.T) {
	t.Parallel()
	s := follow(t, joinFrom("a", "x"), joinFrom("a", "x"), joinFrom("b", "x"))
	require.False(t, s.IsReplaced("a", "x"), "it restarted")
	replaced, err := s.next(4, joinFrom("a", "y"))
	require.NoError(t, err)
	require.True(t, replaced.IsReplaced("a", "x"))
	require.False(t, s.IsReplaced("a", "x"), "states do not change")
	require.False(t, replaced.IsReplaced("b", "x"), "each node has folders of its own")
	require.Equal(t, "y", replaced.Nodes["a"].Folder)

	same, err := replaced.next(5, joinFrom("a", "x"))
	require.ErrorIs(t, err, ErrReplaced)
	require.EqualError(t, err,
		`node "a" was replaced by another folder: start it with an empty folder, or under another name`)
	require.Equal(t, replaced.Nodes, same.Nodes)

	forgotten, err := replaced.next(6, &Command{Forget: &NamedNode{"a"}})
	require.NoError(t, err)
	_, err = forgotten.next(7, joinFrom("a", "x"))
	require.ErrorIs(t, err, ErrReplaced)

	body, err := json.Marshal(forgotten)
	require.NoError(t, err)
	var read State
	require.NoError(t, json.Unmarshal(body, &read))
	require.Equal(t, forgotten.Replaced, read.Replaced)
}

func TestState_RemembersTheLastReplacedFolders(t *testing.T) {
	t.Parallel()
	s := &State{}
	for i := range keptReplaced + 5 {
		var err error
		s, err = s.next(uint64(i+1), joinFrom("a", fmt.Sprint(i)))
		require.NoError(t, err)
	}
	require.Len(t, s.Replaced["a"], keptReplaced)
	require.True(t, s.IsReplaced("a", fmt.Sprint(keptReplaced+3)))
	require.False(t, s.IsReplaced("a", fmt.Sprint(keptReplaced+4)), "it is the present one")
}

// A primary of another node tells which kind of refusal it was.
func TestControl_RefusalOfAReplacedFolderKeepsItsKind(t *testing.T) {
	t.Parallel()
	err := controlAnswer{Refused: replacedText("a"), Kind: ErrReplaced.Error()}.err()
	var refused *refusedError
	require.ErrorAs(t, err, &refused)
	require.ErrorIs(t, refused.err, ErrReplaced)
	require.EqualError(t, refused.err, replacedText("a"))
}

func TestSight_HeartbeatsOfOtherFoldersDoNotCount(t *testing.T) {
	t.Parallel()
	state := follow(t, joinFrom("b", "x"), joinFrom("b", "y"))
	s := newSight(1)
	s.state = func() *State { return state }
	beat := func(folder string) {
		s.Hear(&Beat{Node: "b", Folder: folder, Addr: folder + ":1", Parts: []Part{{At: jobs, Epoch: 5}}})
	}
	beat("x")
	require.Empty(t, s.Addrs()["b"], "it was replaced")
	require.Zero(t, s.Newest(jobs))

	beat("y")
	beat("z")
	require.Equal(t, "y:1", s.Addrs()["b"], "its place is taken")
	addr, first := s.Twin("b", "z")
	require.Equal(t, "y:1", addr)
	beat("y")
	_, second := s.Twin("b", "z")
	require.Equal(t, first+1, second)
	addr, _ = s.Twin("b", "y")
	require.Empty(t, addr)

	hearSelf(s, 4)
	addr, _ = s.Twin("b", "z")
	require.Empty(t, addr, "it is silent")
	beat("z")
	require.Equal(t, "z:1", s.Addrs()["b"], "it is about to replace the other")
	beat("y")
	require.Equal(t, "y:1", s.Addrs()["b"], "the other is there after all")
	beat("z")
	require.Equal(t, "y:1", s.Addrs()["b"])
}

// The last heartbeats of a process that has ended do not make it a living one.
func TestVerdict_TwinIsAliveWhenItsHeartbeatsGoOn(t *testing.T) {
	t.Parallel()
	c, began := claim{"a", "y"}, map[string]uint64{}
	hear := func(from string, heard uint64) error {
		return verdict{From: from, Twin: "a:1", Heard: heard}.against(c, began)
	}
	require.NoError(t, hear("b", 7))
	require.NoError(t, hear("c", 70))
	require.NoError(t, hear("b", 7+sureBeats-1))
	require.NoError(t, hear("c", 5), "node c has restarted")
	err := hear("b", 7+sureBeats)
	require.ErrorIs(t, err, ErrTwin)
	require.EqualError(t, err,
		`another node with the name "a" is alive at a:1: stop it, or give this one another name`)
	require.ErrorIs(t, verdict{Replaced: true}.against(c, began), ErrReplaced)
	require.NoError(t, verdict{From: "b"}.against(c, began))
}
