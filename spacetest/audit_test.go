package spacetest_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gospaces/gospaces/node"
	"github.com/gospaces/gospaces/space"
	"github.com/gospaces/gospaces/spacetest"
)

// A follower comes up with a snapshot that is sound, but tells of something else than the log did. That is noticed, and
// it gets its state from another node.
func TestCluster_AReplicaWithAnotherStateIsMadeAnew(t *testing.T) {
	t.Parallel()
	c := spacetest.StartCluster(t, spacetest.ClusterConfig{
		Durability: node.Replicated, SnapshotBytes: 16 << 10, AuditEvery: 20,
	})
	sp := c.Dial(t, "default")
	_, err := space.Write(t.Context(), sp, Purse{"genuine", 1})
	require.NoError(t, err)
	work := func() {
		_, err := space.Write(t.Context(), sp, Purse{"x", 1})
		require.NoError(t, err)
		_, err = space.Take(t.Context(), sp, Purse{Owner: "x"})
		require.NoError(t, err)
	}
	f := c.Nodes[0]
	if c.Primary("default") == f.Name {
		f = c.Nodes[1]
	}
	require.Eventually(t, func() bool { // its log goes on after its snapshot
		work()
		return newestSnapshot(f, "genuine") != "" && c.Replica(f.Name, "default").Audits > 0
	}, time.Minute, time.Millisecond)
	f.Stop()
	forge(t, newestSnapshot(f, "genuine"))
	f.Start()
	require.Eventually(t, func() bool { work(); return c.Replica(f.Name, "default").Differed == 1 },
		time.Minute, time.Millisecond)
	require.Eventually(t, func() bool { work(); return c.Replica(f.Name, "default").Audits >= 3 },
		time.Minute, time.Millisecond)
	require.EqualValues(t, 1, c.Replica(f.Name, "default").Differed)
	require.Equal(t, "follower", c.Replica(f.Name, "default").Role)
}

// newestSnapshot returns the newest snapshot of the default space on a node, if that has some text; "" otherwise.
func newestSnapshot(n *spacetest.ClusterNode, text string) (path string) {
	all, _ := filepath.Glob(filepath.Join(n.Data(), "snapshots", "default-0", "*.snapshot"))
	for _, p := range all {
		if b, err := os.ReadFile(p); err == nil && bytes.Contains(b, []byte(text)) {
			path = p
		}
	}
	return path
}

// forge changes what a snapshot tells, and its checksums.
func forge(t *testing.T, path string) {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	rest := b[bytes.IndexByte(b, '\n')+1:]
	for number := uint64(0); len(rest) > 8; number++ {
		block := rest[8 : 8+binary.LittleEndian.Uint32(rest)]
		if i := bytes.Index(block, []byte("genuine")); i >= 0 {
			copy(block[i:], "forgery")
		}
		table := crc32.MakeTable(crc32.Castagnoli)
		sum := crc32.Update(crc32.Checksum(binary.LittleEndian.AppendUint64(nil, number), table), table, block)
		binary.LittleEndian.PutUint32(rest[4:], sum)
		rest = rest[8+len(block):]
	}
	require.True(t, bytes.Contains(b, []byte("forgery")))
	require.NoError(t, os.WriteFile(path, b, 0o600))
}
