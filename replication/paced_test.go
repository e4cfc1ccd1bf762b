package replication

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is stored piece by piece, and forgotten by the system, is what was written; on a file system that has no disk,
// too.
func TestPaced_KeepsEveryByte(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"disk": t.TempDir(), "memory": "/dev/shm"} {
		f, err := os.CreateTemp(dir, "paced-*")
		if name == "memory" && os.IsNotExist(err) {
			continue
		}
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, os.Remove(f.Name())) })
		var want []byte
		p := &paced{file: f}
		for i := uint64(0); len(want) < 3*pace+pace/2; i++ {
			piece := binary.LittleEndian.AppendUint64(bytes.Repeat([]byte{byte(i)}, 200_001), i)
			n, err := p.Write(piece)
			require.NoError(t, err)
			require.Equal(t, len(piece), n)
			want = append(want, piece...)
		}
		require.Equal(t, int64(len(want)), p.written)
		require.Greater(t, p.begun, p.stored)
		require.NoError(t, f.Close())
		got, err := os.ReadFile(f.Name())
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), name)
	}
}

// An error of storing is told at once: the system would not repeat it at the end.
func TestPaced_TellsOfErrors(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	_, err = (&paced{file: f}).Write(make([]byte, pace))
	require.ErrorIs(t, err, os.ErrClosed)
}
