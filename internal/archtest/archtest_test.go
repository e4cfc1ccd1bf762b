package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/gospaces/gospaces/"

// listed is the output of `go list` for one package.
type listed struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func TestImports_FollowTheTable(t *testing.T) {
	t.Parallel()
	for _, p := range goList(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module)
		may, ok := lookup(name)
		if !ok {
			t.Errorf("%s is missing in the table: decide there what it may import", name)
			continue
		}
		for _, imported := range ours(p.Imports) {
			if !slices.Contains(may, imported) {
				t.Errorf("%s must not import %s", name, imported)
			}
		}
		for _, imported := range ours(slices.Concat(p.TestImports, p.XTestImports)) {
			if imported != name && (strings.HasPrefix(imported, "cmd/") || strings.HasPrefix(imported, "examples/")) {
				t.Errorf("the tests of %s must not import the program %s", name, imported)
			}
		}
	}
}

func TestTable_NamesPackagesThatExist(t *testing.T) {
	t.Parallel()
	exists := map[string]bool{"examples/": true}
	for _, p := range goList(t, "./...") {
		exists[strings.TrimPrefix(p.ImportPath, module)] = true
	}
	for name, may := range table {
		for _, p := range append(may, name) {
			require.True(t, exists[p], "the table names %s, which does not exist", p)
		}
	}
}

func TestLeanPackages_LinkNothingHeavy(t *testing.T) {
	t.Parallel()
	for _, name := range lean {
		for _, p := range goList(t, "-deps", "./"+name) {
			for _, heavy := range neverLinked {
				if p.ImportPath == heavy || strings.HasPrefix(p.ImportPath, heavy+"/") {
					t.Errorf("a program that imports %s links %s", name, p.ImportPath)
				}
			}
		}
	}
}

func TestRemotePackages_LinkNoEngine(t *testing.T) {
	t.Parallel()
	for _, name := range remote {
		for _, p := range goList(t, "-deps", "./"+name) {
			require.NotEqual(t, engine, p.ImportPath, "a program that imports %s links it", name)
		}
	}
}

// lookup returns what the named package may import, and false if the table does not know it.
func lookup(name string) ([]string, bool) {
	if may, ok := table[name]; ok {
		return may, true
	}
	for pattern, may := range table {
		if strings.HasSuffix(pattern, "/") && strings.HasPrefix(name, pattern) {
			return may, true
		}
	}
	return nil, false
}

// ours returns the names, within the module, of those imports that belong to it.
func ours(imports []string) []string {
	var names []string
	for _, path := range imports {
		if name, ok := strings.CutPrefix(path, module); ok {
			names = append(names, name)
		}
	}
	return names
}

// goList runs `go list` in the module's root.
func goList(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go",
		append([]string{"list", "-json=ImportPath,Imports,TestImports,XTestImports"}, args...)...)
	cmd.Dir = "../.."
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())

	var packages []listed
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		require.NoError(t, err)
		packages = append(packages, p)
	}
}
