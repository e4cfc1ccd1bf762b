package replication

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// block returns a file of a log as written by the server: a claim and commits.
func block(t testing.TB, commits uint64) (id logID, content []byte) {
	t.Helper()
	s := open(t, Config{})
	appendAll(t, primary(t, s), 1, commits)
	content, err := os.ReadFile(blk(s.folder.path, 1))
	require.NoError(t, err)
	return logID{"test", 0}, content
}

// surveyed returns the survey of a folder with only this file.
func surveyed(t testing.TB, id logID, content []byte) *survey {
	t.Helper()
	f := &folder{path: t.TempDir(), owner: owner{Mode: modeStandalone}}
	require.NoError(t, os.MkdirAll(f.messagesDir(id), 0o750))
	require.NoError(t, os.WriteFile(blockPath(f.messagesDir(id), 1), content, 0o600))
	s, err := f.surveyLog(t.Context(), id, true)
	require.NoError(t, err)
	return s
}

// No bit can change without being noticed, and no complete message passes for one that was cut off.
func TestSurvey_EachBitIsNoticed(t *testing.T) {
	t.Parallel()
	id, content := block(t, 3)
	f, err := newBlockFile(content, id, 1)
	require.NoError(t, err)
	var last int // offset of the last record
	for at := 0; at < len(content); {
		r, ok := f.record(at)
		require.True(t, ok)
		last, at = at, at+r.size
	}
	for at := range content {
		for bit := range 8 {
			f.content = bytes.Clone(content)
			f.content[at] ^= 1 << bit
			p, end := f.piece(0)
			require.Less(t, end, len(content), "byte %d, bit %d", at, bit)
			_, next := f.find(end + 1)
			more := next < len(content)
			require.Equal(t, at < last, more, "byte %d, bit %d", at, bit)
			require.True(t, more || !f.cutOff(end, p.to), "byte %d, bit %d", at, bit)
		}
	}
}

// The rest of a record that was being written is distinguished from damage, wherever it was cut off and whatever zeros
// follow.
func TestSurvey_EachCutIsOne(t *testing.T) {
	t.Parallel()
	id, content := block(t, 3)
	f, err := newBlockFile(content, id, 1)
	require.NoError(t, err)
	whole := 0
	for cut := range content {
		for _, zeros := range []int{0, 64, 4096} {
			f.content = append(bytes.Clone(content[:cut]), make([]byte, zeros)...)
			p, end := f.piece(0)
			if end == cut {
				whole = cut
			}
			require.Equal(t, whole, end, "cut at %d, %d zeros", cut, zeros)
			if end < len(f.content) {
				require.True(t, f.cutOff(end, p.to), "cut at %d, %d zeros", cut, zeros)
			}
		}
	}
}

// The server reads our notes of a position like its own.
func TestSurvey_ReadsItsNotes(t *testing.T) {
	t.Parallel()
	id, content := block(t, 3)
	f, err := newBlockFile(nil, id, 1)
	require.NoError(t, err)
	s := surveyed(t, id, append(content, f.note(77)...))
	require.Empty(t, s.damaged)
	require.Nil(t, s.torn)
	require.EqualValues(t, 4, s.end())
	require.EqualValues(t, 77, s.reached())
	require.EqualValues(t, 77, surveyed(t, id, f.note(77)).end())
}

// A client's data that looks like records costs no more than the limit.
func TestSurvey_EffortIsBounded(t *testing.T) {
	t.Parallel()
	id, content := block(t, 3)
	trap := binary.LittleEndian.AppendUint32(nil, 8<<20)
	trap = append(append(trap, make([]byte, 16)...), byte(len(id.subject())), 0)
	trap = append(trap, id.subject()...)
	f, err := newBlockFile(append(content, bytes.Repeat(trap, 16<<20/len(trap))...), id, 1)
	require.NoError(t, err)
	f.effort = 1 << 30
	pieces, damaged := f.scan()
	require.Len(t, pieces, 1)
	require.Len(t, damaged, 1)
	require.False(t, f.cutOff(damaged[0].at, 4))
	require.Greater(t, f.effort, -maxRecord)
}

func FuzzSurvey(f *testing.F) {
	id, content := block(f, 3)
	f.Add(content)
	f.Add(content[:len(content)-50])
	long := bytes.Clone(content)
	binary.LittleEndian.PutUint32(long[len(long)-100:], 1<<31-1)
	f.Add(long)
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := newBlockFile(content, id, 1)
		require.NoError(t, err)
		pieces, damaged := file.scan()
		at := 0
		for _, p := range pieces {
			require.True(t, at == p.begin || slices.ContainsFunc(damaged, func(d place) bool { return d.at == at }))
			require.Less(t, p.begin, p.end)
			require.LessOrEqual(t, p.from, p.to)
			at = p.end
		}
		if at < len(content) {
			require.Equal(t, at, damaged[len(damaged)-1].at)
			_ = file.cutOff(at, to(pieces))
		}
	})
}

func BenchmarkScan(b *testing.B) {
	id := logID{"test", 0}
	s := open(b, Config{})
	l := primary(b, s)
	for n := range uint64(1000) {
		require.NoError(b, l.Append(commit(n, 1000)))
	}
	content, err := os.ReadFile(blk(s.folder.path, 1))
	require.NoError(b, err)
	f, err := newBlockFile(content, id, 1)
	require.NoError(b, err)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		f.effort = maxEffort
		pieces, damaged := f.scan()
		require.Len(b, pieces, 1)
		require.Empty(b, damaged)
	}
}
