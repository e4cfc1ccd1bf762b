package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
)

// totals adds up results, in any order.
type totals struct {
	summary  RunSummary
	packages map[string]*PackageTotal
	imports  map[string]int
	sums     map[string][]byte // SHA-256 of each file
}

func newTotals() *totals {
	return &totals{packages: map[string]*PackageTotal{}, imports: map[string]int{}, sums: map[string][]byte{}}
}

// add counts r. It returns false, and counts nothing, if its file was counted before.
func (t *totals) add(r FileResult) bool {
	if _, known := t.sums[r.File]; known {
		return false
	}
	t.sums[r.File] = r.SHA256
	dir := path.Dir(r.File)
	p := t.packages[dir]
	if p == nil {
		p = &PackageTotal{Package: dir}
		t.packages[dir] = p
	}
	p.Files++
	p.Lines += r.Lines
	p.Bytes += r.Bytes
	p.Functions += r.Functions

	s := &t.summary
	s.Files++
	s.Lines += r.Lines
	s.Bytes += r.Bytes
	s.Functions += r.Functions
	if !r.Parsed {
		s.Unparsed++
	}
	for _, imported := range slices.Compact(slices.Sorted(slices.Values(r.Imports))) {
		t.imports[imported]++
	}
	return true
}

// finish returns the summary, which is complete once all files were added.
func (t *totals) finish() RunSummary {
	s := t.summary
	s.Packages = len(t.packages)
	s.Imports = len(t.imports)
	digest := sha256.New()
	for _, file := range slices.Sorted(maps.Keys(t.sums)) {
		fmt.Fprintf(digest, "%x  %s\n", t.sums[file], file)
	}
	s.Digest = hex.EncodeToString(digest.Sum(nil))
	return s
}

// packageTotals returns the totals of all packages, the largest first.
func (t *totals) packageTotals() []PackageTotal {
	all := make([]PackageTotal, 0, len(t.packages))
	for _, p := range t.packages {
		all = append(all, *p)
	}
	slices.SortFunc(all, func(a, b PackageTotal) int {
		return cmp.Or(cmp.Compare(b.Lines, a.Lines), cmp.Compare(a.Package, b.Package))
	})
	return all
}

// importTotals returns the number of imports of each package, the most popular first.
func (t *totals) importTotals() []ImportTotal {
	all := make([]ImportTotal, 0, len(t.imports))
	for name, files := range t.imports {
		all = append(all, ImportTotal{Import: name, Files: files})
	}
	slices.SortFunc(all, func(a, b ImportTotal) int {
		return cmp.Or(cmp.Compare(b.Files, a.Files), cmp.Compare(a.Import, b.Import))
	})
	return all
}

// difference describes a difference between t and u, or returns "".
func (t *totals) difference(u *totals) string {
	if a, b := t.finish(), u.finish(); a != b {
		return fmt.Sprintf("%+v against %+v", a, b)
	}
	if !slices.Equal(t.packageTotals(), u.packageTotals()) {
		return "the totals of packages"
	}
	if !maps.Equal(t.imports, u.imports) {
		return "the totals of imports"
	}
	return ""
}
