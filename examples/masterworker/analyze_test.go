package main

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const valid = `package p

import (
	"fmt"
	str "strings"
)

func F() { fmt.Println(str.ToUpper("x")) }

func (T) M() {}

type T struct{}`

// tree writes files to a new folder and returns it.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return root
}

func TestAnalyze(t *testing.T) {
	t.Parallel()
	root := tree(t,
		map[string]string{"p/a.go": valid, "p/broken.go": "package p\n\nimport \"fmt\"\n\nfunc {\n", "p/empty.go": ""})

	sum := sha256.Sum256([]byte(valid))
	require.Equal(t, FileResult{
		File: "p/a.go", Lines: 12, Bytes: len(valid), SHA256: sum[:], Parsed: true, Imports: []string{"fmt", "strings"},
		Functions: 2,
	}, analyze(root, "p/a.go"))

	broken := analyze(root, "p/broken.go")
	require.False(t, broken.Parsed)
	require.Equal(t, 5, broken.Lines)
	require.Empty(t, broken.Imports, "a file that is no valid Go counts by lines and bytes only")

	require.Zero(t, analyze(root, "p/empty.go").Lines)
	require.Contains(t, analyze(root, "p/none.go").Problem, "no such file")
}

func TestSourceFiles_AreSortedGoFiles(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"b/b.go": "", "a.go": "", "b/b.s": "", "README": ""})
	files, err := sourceFiles(root)
	require.NoError(t, err)
	require.Equal(t, []string{"a.go", "b/b.go"}, files)

	_, err = sourceFiles(filepath.Join(root, "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestTotals_DoNotDependOnOrder(t *testing.T) {
	t.Parallel()
	results := []FileResult{
		{
			File: "a/1.go", Lines: 1, Bytes: 10, SHA256: []byte{1}, Parsed: true, Imports: []string{"fmt", "fmt", "os"},
			Functions: 3,
		},
		{File: "a/2.go", Lines: 2, Bytes: 20, SHA256: []byte{2}},
		{File: "b/1.go", Lines: 4, Bytes: 30, SHA256: []byte{3}, Parsed: true, Imports: []string{"fmt"}},
	}
	one, other := newTotals(), newTotals()
	for i := range results {
		require.True(t, one.add(results[i]))
		other.add(results[len(results)-1-i])
	}
	require.False(t, one.add(results[0]), "a file counts once")
	require.Empty(t, one.difference(other))

	s := one.finish()
	require.Equal(t, [...]int{3, 1, 2, 7, 60, 3, 2},
		[...]int{s.Files, s.Unparsed, s.Packages, s.Lines, s.Bytes, s.Functions, s.Imports})
	require.Equal(t, []ImportTotal{{Import: "fmt", Files: 2}, {Import: "os", Files: 1}}, one.importTotals())
	require.Equal(t, "b", one.packageTotals()[0].Package, "the one with most lines comes first")

	results[2].SHA256 = []byte{4}
	third := newTotals()
	for _, r := range results {
		third.add(r)
	}
	require.NotEmpty(t, one.difference(third), "the digest tells contents apart that count the same")
}
