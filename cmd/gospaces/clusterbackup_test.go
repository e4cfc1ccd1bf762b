package main

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/client"
	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// A node takes part in one backup of its cluster at a time: another one neither lets its commits go on too soon, nor
// gets its images.
func TestBackup_OfAClusterIsOneAtATime(t *testing.T) {
	t.Parallel()
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{Durability: node.ReplicatedMemory})
	require.Equal(t, exitOK, cli(t, "--addr", c.Addrs(), "write", "job", `{"id": 1}`).code)
	leader, err := client.DialNode(t.Context(), client.Config{Addr: c.Node(c.Primary("default")).Addr})
	require.NoError(t, err)
	defer leader.Close()
	step := func(id string, step node.BackupStep) error {
		request, err := json.Marshal(&node.ManageRequest{Backup: &node.BackupRequest{ID: id, Step: step}})
		require.NoError(t, err)
		_, err = leader.Manage(t.Context(), request)
		return err
	}
	file := filepath.Join(t.TempDir(), "spaces.backup")
	refused := func() {
		r := cli(t, "--addr", c.Addrs(), "backup", file)
		require.Equal(t, exitError, r.code)
		require.Contains(t, r.err, "another backup is about to begin; try again in a minute")
	}

	require.NoError(t, step("a", node.HoldCommits))
	refused()
	require.ErrorIs(t, step("b", node.BeginImages), space.ErrUnavailable)
	require.ErrorIs(t, step("b", node.ReleaseCommits), space.ErrUnavailable)
	require.NoError(t, step("b", node.AbandonBackup), "of what there is not")
	require.NoError(t, step("a", node.BeginImages))
	_, err = leader.Backup(t.Context())
	require.ErrorIs(t, err, space.ErrInvalidArgument, "other nodes may not have begun")
	require.NoError(t, step("a", node.ReleaseCommits))
	refused()
	require.ErrorIs(t, step("a", node.ReleaseCommits), space.ErrUnavailable, "commits went on before")
	taken, err := leader.Backup(t.Context())
	require.NoError(t, err)
	require.NoError(t, taken.Close(t.Context()))

	require.NoError(t, step("c", node.HoldCommits))
	require.NoError(t, step("c", node.AbandonBackup))
	require.Equal(t, exitOK, cli(t, "--addr", c.Addrs(), "backup", file).code)
}
